import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { popularity, popularityScorer } from '../../src/models/popularity';
import { scorePrefixes } from '../../src/models/item_scorer';
import { forEachBackend } from '../support/backends';

describe('popularityScorer', () => {
  forEachBackend(() => {
    it("gives the log of each item's smoothed share, whatever the history", () => {
      // counts 2, 1, 0 and smoothing 0.5: shares 2.5, 1.5 and 0.5 of 4.5
      const scorer = popularityScorer([[0, 1], [0]], 3, { smoothing: 0.5 });
      const scores = scorer.score([[], [1]]);
      for (const row of scores.arraySync()) {
        expect(row[0]).to.be.closeTo(Math.log(2.5 / 4.5), 1e-6);
        expect(row[1]).to.be.closeTo(Math.log(1.5 / 4.5), 1e-6);
        expect(row[2]).to.be.closeTo(Math.log(0.5 / 4.5), 1e-6);
      }
      scores.dispose();
    });

    it('is a distribution: the softmax of the scores is their exponential', () => {
      const sum = tf.tidy(() => tf.sum(tf.exp(popularityScorer([[0, 1, 4], [3]], 5).score([[]]))).arraySync());
      expect(sum).to.be.closeTo(1, 1e-6);
    });

    it('scores prefixes as it scores histories, and leaves no other tensor behind', () => {
      const scorer = popularityScorer([[0, 1], [0]], 3);
      const before = tf.memory().numTensors;
      const scores = scorePrefixes(scorer, [[0, 1], []], Int32Array.of(0, 0, 1), Int32Array.of(2, 0, 0));
      expect(scores.shape).to.deep.equal([3, 3]);
      scores.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('counts no more than the histories hold', () => {
    expect(Array.from(popularity([[1, 1, 1]], 2, { smoothing: 1 }))).to.deep.equal([1 / 5, 4 / 5]);
  });

  it('refuses a smoothing that leaves items without mass', () => {
    expect(() => popularityScorer([], 3, { smoothing: 0 })).to.throw(
      'popularityScorer: smoothing must be above 0, got 0',
    );
  });

  it('refuses an item outside the catalogue', () => {
    expect(() => popularityScorer([[0], [3]], 3)).to.throw(
      'popularityScorer: item numbers must be in [0, 3), got 3 in history 1',
    );
  });
});
