import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { ItemScorer } from './item_scorer';

/** Options of `popularity` and `popularityScorer`. */
export interface PopularityOptions {
  /** s, added to the count of every item, above 0, so that unseen items keep some probability. Default 1. */
  smoothing?: number;
}

/**
 * Makes a scorer that ranks items by how often they occur, for any history: the baseline of every table.
 *
 * ```
 * score(i) = log( (count_i + s) / (sum_j count_j + s N) )
 * ```
 * @param histories training sequences of item numbers.
 * @param numItems N, items of the catalogue.
 * @param options the smoothing.
 * @returns the scorer.
 * @throws IlrecError when smoothing is not above 0, or an item number is outside [0, N).
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { popularityScorer } from 'tfjs-ilrec';
 *
 * const scores = popularityScorer([[0, 1], [1]], 3).score([[2]]); // counts 1, 2, 0; smoothed 2/6, 3/6, 1/6
 * console.log(Array.from(tf.exp(scores).dataSync(), (share) => share.toFixed(3))); // [ '0.333', '0.500', '0.167' ]
 * ```
 */
export function popularityScorer(
  histories: readonly ArrayLike<number>[],
  numItems: number,
  options: PopularityOptions = {},
): ItemScorer {
  const logProbabilities = Float32Array.from(popularity(histories, numItems, options, 'popularityScorer'), Math.log);
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

/**
 * Computes the smoothed share of each item among all interactions.
 *
 * @param histories training sequences of item numbers.
 * @param numItems N, items of the catalogue.
 * @param options the smoothing.
 * @param caller the function that error messages name. Default 'popularity'.
 * @returns shares in float64, [N]; they sum to 1.
 * @throws IlrecError when smoothing is not above 0, or an item number is outside [0, N).
 * @example
 * ```ts
 * import { popularity } from 'tfjs-ilrec';
 *
 * console.log(popularity([[0, 1], [1]], 2)); // Float64Array(2) [ 0.4, 0.6 ]
 * ```
 */
export function popularity(
  histories: readonly ArrayLike<number>[],
  numItems: number,
  { smoothing = 1 }: PopularityOptions = {},
  caller = 'popularity',
): Float64Array {
  if (!(smoothing > 0)) throw new IlrecError(`${caller}: smoothing must be above 0, got ${smoothing}`);
  const shares = new Float64Array(numItems).fill(smoothing);
  let total = smoothing * numItems;
  histories.forEach((history, h) => {
    for (let i = 0; i < history.length; i++) {
      const item = history[i];
      if (!(item >= 0 && item < numItems))
        throw new IlrecError(`${caller}: item numbers must be in [0, ${numItems}), got ${item} in history ${h}`);
      shares[item]++;
    }
    total += history.length;
  });
  return shares.map((count) => count / total);
}
