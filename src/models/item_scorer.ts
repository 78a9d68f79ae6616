import type * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';

/** A frozen recommender that scores the whole catalogue; no gradient flows through it. */
export interface ItemScorer {
  /** For tables and logs, such as 'sasrec'. */
  readonly name: string;
  /** N, items of the catalogue. */
  readonly numItems: number;
  /**
   * Scores all items after each history.
   *
   * @param histories item numbers, oldest first, [R]; a history may be empty.
   * @returns log-scores [R, N], higher is better. Their softmax is p_CF. The caller disposes it.
   */
  score(histories: readonly ArrayLike<number>[]): tf.Tensor2D;
  /** Optional faster form of the function `scorePrefixes`: causal models need one pass per history. */
  scorePrefixes?(histories: readonly ArrayLike<number>[], rows: Int32Array, lengths: Int32Array): tf.Tensor2D;
}

/**
 * Scores prefixes of histories, such as all places of a training sequence at once.
 *
 * @param scorer any scorer.
 * @param histories item numbers, oldest first.
 * @param rows index of the history of each result row, [R], in [0, histories.length).
 * @param lengths number of items of that history that are known, counted from the oldest, [R], in [0, length of the
 * history].
 * @returns log-scores [R, N], as of `ItemScorer.score`. The caller disposes it.
 * @throws IlrecError when rows and lengths differ in length, or an entry is out of range.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { markovScorer, scorePrefixes } from 'tfjs-ilrec';
 *
 * const scorer = markovScorer([[0, 1, 2]], 3); // 1 follows 0, 2 follows 1
 * const scores = scorePrefixes(scorer, [[0, 1]], Int32Array.of(0, 0), Int32Array.of(1, 2));
 * console.log(tf.argMax(scores, 1).arraySync()); // [ 1, 2 ]
 * ```
 */
export function scorePrefixes(
  scorer: ItemScorer,
  histories: readonly ArrayLike<number>[],
  rows: Int32Array,
  lengths: Int32Array,
): tf.Tensor2D {
  if (rows.length !== lengths.length) {
    throw new IlrecError(
      `scorePrefixes: rows and lengths must have the same length, got ${rows.length} and ${lengths.length}`,
    );
  }
  rows.forEach((row, r) => {
    if (!(row >= 0 && row < histories.length))
      throw new IlrecError(`scorePrefixes: rows must be in [0, ${histories.length}), got ${row} at ${r}`);
    if (!(lengths[r] >= 0 && lengths[r] <= histories[row].length)) {
      throw new IlrecError(
        `scorePrefixes: lengths must be in [0, ${histories[row].length}] for history ${row}, got ${lengths[r]} at ${r}`,
      );
    }
  });
  if (scorer.scorePrefixes !== undefined) return scorer.scorePrefixes(histories, rows, lengths);
  return scorer.score(
    Array.from(rows, (row, r) => Array.prototype.slice.call(histories[row], 0, lengths[r]) as number[]),
  );
}
