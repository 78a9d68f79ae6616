import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { ItemScorer } from '../../src/models/item_scorer';
import { meanScorer } from '../../src/models/mean_scorer';
import { forEachBackend } from '../support/backends';

/** Scores log p + shift, whatever the history; a shift changes no softmax. */
const fixed = (name: string, probabilities: readonly number[], shift = 0): ItemScorer => ({
  name,
  numItems: probabilities.length,
  score: (histories) =>
    tf.tensor2d(
      histories.flatMap(() => probabilities.map((p) => Math.log(p) + shift)),
      [histories.length, probabilities.length],
    ),
});

describe('meanScorer', () => {
  forEachBackend(() => {
    it('is the mean of the log-probabilities of its models', async () => {
      const scorer = meanScorer([fixed('a', [0.5, 0.3, 0.2]), fixed('b', [0.1, 0.6, 0.3], 4)]);
      expect([scorer.name, scorer.numItems]).to.deep.equal(['mean of a, b', 3]);
      // (log .5 + log .1) / 2 = log sqrt(.05), and so on
      const expected = [0.05, 0.18, 0.06].map((product) => Math.log(product) / 2);
      const scores = scorer.score([[0], []]);
      const values = await scores.data();
      [...expected, ...expected].forEach((value, i) => expect(values[i]).to.be.closeTo(value, 1e-5));
      scores.dispose();
    });

    it('weighs its models where weights are given, and does not ask those without', async () => {
      const [a, b] = [fixed('a', [0.5, 0.3, 0.2]), fixed('b', [0.1, 0.6, 0.3], 4)];
      const weighted = meanScorer([a, b], { weights: [3, 1] });
      expect(weighted.name).to.equal('mean of a (0.75), b (0.25)');
      const never: ItemScorer = {
        ...b,
        score: () => {
          throw new Error('asked');
        },
      };
      const alone = meanScorer([a, never], { weights: [1, 0] });
      const expected = [0.5 ** 0.75 * 0.1 ** 0.25, 0.3 ** 0.75 * 0.6 ** 0.25, 0.2 ** 0.75 * 0.3 ** 0.25];
      for (const [scorer, values] of [
        [weighted, expected],
        [alone, [0.5, 0.3, 0.2]],
      ] as const) {
        const scores = scorer.score([[0]]);
        const read = await scores.data();
        values.forEach((value, i) => expect(read[i]).to.be.closeTo(Math.log(value), 1e-5));
        scores.dispose();
      }
    });

    it('gives of one model its log-probabilities', async () => {
      const scores = meanScorer([fixed('a', [0.5, 0.25, 0.25], -2)]).score([[1]]);
      const values = await scores.data();
      [0.5, 0.25, 0.25].forEach((p, i) => expect(values[i]).to.be.closeTo(Math.log(p), 1e-5));
      scores.dispose();
    });

    it('scores prefixes as their histories, and leaves no tensor behind', async () => {
      const scorer = meanScorer([fixed('a', [0.5, 0.5]), fixed('b', [0.2, 0.8])]);
      const before = tf.memory().numTensors;
      const prefixes = scorer.scorePrefixes?.([[0, 1]], Int32Array.of(0, 0), Int32Array.of(1, 2)) as tf.Tensor2D;
      const whole = scorer.score([[0], [0, 1]]);
      expect([...(await prefixes.data())]).to.deep.equal([...(await whole.data())]);
      tf.dispose([prefixes, whole]);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('refuses no models, and models of several catalogues', () => {
    for (const weights of [[1], [0, 0], [1, -1]])
      expect(() => meanScorer([fixed('a', [0.5, 0.5]), fixed('b', [0.5, 0.5])], { weights })).to.throw(
        `meanScorer: weights must be 2 numbers of at least 0, one of them above, got [${weights.join(', ')}]`,
      );
    expect(() => meanScorer([])).to.throw('meanScorer: there must be at least one scorer, got none');
    expect(() => meanScorer([fixed('a', [0.5, 0.5]), fixed('b', [1])])).to.throw(
      'meanScorer: all scorers must have 2 items, got 1 in "b"',
    );
  });
});
