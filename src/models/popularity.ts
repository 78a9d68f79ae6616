import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { ItemScorer } from './item_scorer';

export interface PopularityOptions {
  /** Added to every item's count, above 0, so that unseen items keep some mass. Default 1. */
  smoothing?: number;
}

/**
 * Scores every item by how often it occurs, whatever the history: the floor of every table.
 *
 * ```
 * score(i) = log( (count_i + s) / (sum_j count_j + s N) )
 * ```
 * @param histories training sequences of item numbers.
 * @param numItems N.
 * @throws IlrecError when smoothing is not above 0 or an item number is outside [0, N).
 */
export function popularityScorer(
  histories: readonly ArrayLike<number>[],
  numItems: number,
  options: PopularityOptions = {},
): ItemScorer {
  const logProbabilities = Float32Array.from(popularity(histories, numItems, options), Math.log);
  return {
    name: 'popularity',
    numItems,
    score: ({ length }) => {
      const scores = new Float32Array(length * numItems);
      for (let row = 0; row < length; row++) scores.set(logProbabilities, row * numItems);
      return tf.tensor2d(scores, [length, numItems]);
    },
    scorePrefixes(_histories, rows) {
      return this.score(Array.from(rows, () => []));
    },
  };
}

/** Smoothed share of each item among all interactions, [N], in float64; sums to 1. Arguments as for `popularityScorer`. */
export function popularity(
  histories: readonly ArrayLike<number>[],
  numItems: number,
  { smoothing = 1 }: PopularityOptions = {},
): Float64Array {
  if (!(smoothing > 0)) throw new IlrecError(`popularity: smoothing must be above 0, got ${smoothing}`);
  const shares = new Float64Array(numItems).fill(smoothing);
  let total = smoothing * numItems;
  histories.forEach((history, h) => {
    for (let i = 0; i < history.length; i++) {
      const item = history[i];
      if (!(item >= 0 && item < numItems))
        throw new IlrecError(`popularity: item numbers must be in [0, ${numItems}), got ${item} in history ${h}`);
      shares[item]++;
    }
    total += history.length;
  });
  return shares.map((count) => count / total);
}
