import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { ItemScorer } from './item_scorer';
import { popularity, type PopularityOptions } from './popularity';

/** Options of `markovScorer`. */
export interface MarkovOptions extends PopularityOptions {
  /**
   * beta, the weight of popularity in observed successors, above 0. At most 1, a successor seen more often always ranks
   * higher. Default 1.
   */
  backOff?: number;
  /**
   * Order of successors that were seen equally often: by popularity, or by first occurrence in training. Default
   * 'popularity', the stronger baseline; 'first-seen' reproduces the published baselines of the Instruments data.
   */
  ties?: 'popularity' | 'first-seen';
}

/**
 * Makes a scorer that is a first-order Markov chain: it ranks the items that followed the last item in training, and
 * backs off to popularity.
 *
 * ```
 * score(j | i) = log( (count(i -> j) + beta * p(j)) / (count(i -> .) + beta) ),   p = popularity
 * ```
 * With beta at most 1 the most frequent successor comes first, equal counts are ordered by `ties`, and all other items
 * follow by popularity. After an empty history, or an item that nothing followed, the scores are the popularity.
 *
 * @param histories training sequences of item numbers, oldest first.
 * @param numItems N, items of the catalogue.
 * @param options back-off, ties and smoothing.
 * @returns the scorer.
 * @throws IlrecError when backOff or smoothing is not above 0, or an item number is outside [0, N).
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { markovScorer } from 'tfjs-ilrec';
 *
 * const scorer = markovScorer([[0, 1, 2], [0, 1], [0, 2]], 3);
 * console.log(tf.argMax(scorer.score([[0]]), 1).arraySync()); // [ 1 ]
 * ```
 */
export function markovScorer(
  histories: readonly ArrayLike<number>[],
  numItems: number,
  options: MarkovOptions = {},
): ItemScorer {
  const { backOff = 1, ties = 'popularity' } = options;
  if (!(backOff > 0)) throw new IlrecError(`markovScorer: backOff must be above 0, got ${backOff}`);
  const shares = popularity(histories, numItems, options, 'markovScorer');
  const logShares = Float32Array.from(shares, Math.log);
  const successors = countSuccessors(histories);

  const scoreLast = (last: readonly (number | undefined)[]): tf.Tensor2D => {
    const scores = new Float32Array(last.length * numItems);
    last.forEach((item, row) => {
      const counts = item === undefined ? undefined : successors.get(item);
      const into = scores.subarray(row * numItems, (row + 1) * numItems);
      into.set(logShares);
      if (counts === undefined) return;
      let total = backOff;
      for (const count of counts.values()) total += count;
      const unseen = Math.log(backOff / total);
      for (let next = 0; next < numItems; next++) into[next] += unseen;
      const extra = ties === 'popularity' ? shares : fallingShares([...counts.keys()], shares);
      for (const [next, count] of counts) into[next] = Math.log((count + backOff * extra[next]) / total);
    });
    return tf.tensor2d(scores, [last.length, numItems]);
  };
  return {
    name: 'markov',
    numItems,
    score: (given) => scoreLast(given.map((history) => history[history.length - 1])),
    scorePrefixes: (given, rows, lengths) => scoreLast(Array.from(rows, (row, r) => given[row][lengths[r] - 1])),
  };
}

/**
 * The shares of `items`, redistributed so that each item has a little less than the one before; the sum stays the same.
 */
function fallingShares(items: readonly number[], shares: Float64Array): Record<number, number> {
  const sum = items.reduce((total, item) => total + shares[item], 0);
  const step = (2 * sum) / (items.length * (items.length + 1));
  return Object.fromEntries(items.map((item, order) => [item, step * (items.length - order)]));
}

/** For each item, how often each other item came right after it, in order of first occurrence. */
function countSuccessors(histories: readonly ArrayLike<number>[]): Map<number, Map<number, number>> {
  const successors = new Map<number, Map<number, number>>();
  for (const history of histories) {
    for (let i = 1; i < history.length; i++) {
      let counts = successors.get(history[i - 1]);
      if (counts === undefined) successors.set(history[i - 1], (counts = new Map()));
      counts.set(history[i], (counts.get(history[i]) ?? 0) + 1);
    }
  }
  return successors;
}
