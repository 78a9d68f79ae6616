import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { ItemScorer } from './item_scorer';
import { popularity, type PopularityOptions } from './popularity';

export interface MarkovOptions extends PopularityOptions {
  /** How many observed successors the popularity is worth, beta, above 0. Up to 1, a successor seen more often always ranks higher. Default 1. */
  backOff?: number;
  /**
   * Order of successors that were seen equally often: the more popular first, or the one that training showed first. Default 'popularity', the
   * stronger; 'first-seen' gives the floors published for the instruments data.
   */
  ties?: 'popularity' | 'first-seen';
}

/**
 * First-order Markov chain: scores what followed the last item in training, backed off to popularity.
 *
 * ```
 * score(j | i) = log( (count(i -> j) + beta * p(j)) / (count(i -> .) + beta) ),   p = popularity
 * ```
 * With beta at most 1 the ranking is: most frequent successor, ties (see `ties`) and all other items by popularity. After an empty history, or an
 * item that was never followed, it is the popularity itself.
 *
 * @param histories training sequences of item numbers, oldest first.
 * @param numItems N.
 * @throws IlrecError when backOff or smoothing is not above 0, or an item number is outside [0, N).
 */
export function markovScorer(
  histories: readonly ArrayLike<number>[],
  numItems: number,
  options: MarkovOptions = {},
): ItemScorer {
  const { backOff = 1, ties = 'popularity' } = options;
  if (!(backOff > 0)) throw new IlrecError(`markovScorer: backOff must be above 0, got ${backOff}`);
  const shares = popularity(histories, numItems, options);
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

/** The shares of `items`, dealt out anew so that each has a little less than the one before it; their sum stays. */
function fallingShares(items: readonly number[], shares: Float64Array): Record<number, number> {
  const sum = items.reduce((total, item) => total + shares[item], 0);
  const step = (2 * sum) / (items.length * (items.length + 1));
  return Object.fromEntries(items.map((item, order) => [item, step * (items.length - order)]));
}

/** For each item, in the order of training, how often each other item came right after it. */
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
