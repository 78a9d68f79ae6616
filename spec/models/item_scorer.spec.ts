import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { type ItemScorer, scorePrefixes } from '../../src/models/item_scorer';
import { forEachBackend } from '../support/backends';

/** Scores the only item by the history's length and last item. */
const scorer: ItemScorer = {
  name: 'length',
  numItems: 1,
  score: (histories) =>
    tf.tensor2d(histories.map((history) => [10 * history.length + (history[history.length - 1] ?? 0)])),
};

describe('scorePrefixes', () => {
  forEachBackend(() => {
    it('cuts the histories for a scorer that has no method of its own', () => {
      const scores = scorePrefixes(
        scorer,
        [[5, 6, 7], Int32Array.of(8)],
        Int32Array.of(1, 0, 0, 1),
        Int32Array.of(1, 3, 2, 0),
      );
      expect(scores.arraySync()).to.deep.equal([[18], [37], [26], [0]]);
      scores.dispose();
    });
  });

  it('refuses rows and lengths that differ in number', () => {
    expect(() => scorePrefixes(scorer, [[]], Int32Array.of(0), Int32Array.of())).to.throw(
      'scorePrefixes: rows and lengths must have the same length, got 1 and 0',
    );
  });

  it('refuses a row without a history', () => {
    expect(() => scorePrefixes(scorer, [[]], Int32Array.of(1), Int32Array.of(0))).to.throw(
      'scorePrefixes: rows must be in [0, 1), got 1 at 0',
    );
  });

  it('refuses a length beyond the history', () => {
    expect(() => scorePrefixes(scorer, [[3]], Int32Array.of(0), Int32Array.of(2))).to.throw(
      'scorePrefixes: lengths must be in [0, 1] for history 0, got 2 at 0',
    );
  });
});
