import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { scorePrefixes } from '../../src/models/item_scorer';
import { markovScorer } from '../../src/models/markov';
import { popularity } from '../../src/models/popularity';
import { forEachBackend } from '../support/backends';

const histories = [
  [0, 1, 2],
  [0, 1, 3],
  [0, 4, 2],
  [2, 2],
];
const numItems = 5;

function scoresAfter(history: number[], options = {}): number[] {
  return tf.tidy(() => markovScorer(histories, numItems, options).score([history]).arraySync()[0]);
}

describe('markovScorer', () => {
  forEachBackend(() => {
    it('mixes what followed the last item with the popularity', () => {
      // After 0 came 1 twice and 4 once; counts + 1 are 4, 3, 5, 2, 2 of 16; beta 0.5.
      const scores = scoresAfter([3, 0], { backOff: 0.5 });
      expect(scores[0]).to.be.closeTo(Math.log((0.5 * 4) / 16 / 3.5), 1e-6);
      expect(scores[1]).to.be.closeTo(Math.log((2 + (0.5 * 3) / 16) / 3.5), 1e-6);
      expect(scores[4]).to.be.closeTo(Math.log((1 + (0.5 * 2) / 16) / 3.5), 1e-6);
    });

    it('is the popularity after an empty history and after an item that nothing followed', () => {
      const shares = Array.from(popularity(histories, numItems), Math.log);
      for (const history of [[], [3]])
        scoresAfter(history).forEach((score, item) => expect(score).to.be.closeTo(shares[item], 1e-6));
    });

    it('is a distribution: the softmax of the scores is their exponential', () => {
      for (const history of [[], [0], [1], [2]]) {
        expect(scoresAfter(history, { backOff: 0.3 }).reduce((sum, score) => sum + Math.exp(score), 0)).to.be.closeTo(
          1,
          1e-6,
        );
      }
    });

    it('ranks the most frequent successors first, then by popularity', () => {
      const scores = scoresAfter([0]);
      expect([...scores.keys()].sort((a, b) => scores[b] - scores[a])).to.deep.equal([1, 4, 2, 0, 3]);
    });

    it('keeps successors that were seen equally often in the order of training, if asked, and still is a distribution', () => {
      const scores = tf.tidy(
        () =>
          markovScorer([[0, 3], [0, 1], [0, 2], [2], [1], [1]], 4, { ties: 'first-seen' })
            .score([[0]])
            .arraySync()[0],
      );
      expect([...scores.keys()].sort((a, b) => scores[b] - scores[a])).to.deep.equal([3, 1, 2, 0]);
      expect(scores.reduce((sum, score) => sum + Math.exp(score), 0)).to.be.closeTo(1, 1e-6);
    });

    it('scores prefixes as the histories cut there, and leaves no other tensor behind', () => {
      const scorer = markovScorer(histories, numItems);
      const before = tf.memory().numTensors;
      const prefixes = scorePrefixes(scorer, [[0, 1, 2], []], Int32Array.of(0, 0, 1, 0), Int32Array.of(3, 1, 0, 0));
      const cut = scorer.score([[0, 1, 2], [0], [], []]);
      expect(prefixes.arraySync()).to.deep.equal(cut.arraySync());
      tf.dispose([prefixes, cut]);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('refuses a back-off that leaves items without mass', () => {
    expect(() => markovScorer(histories, numItems, { backOff: -1 })).to.throw(
      'markovScorer: backOff must be above 0, got -1',
    );
  });
});
