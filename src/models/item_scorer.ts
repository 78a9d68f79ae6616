import type * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';

/** A frozen recommender that scores the whole catalogue; no gradient flows through it. */
export interface ItemScorer {
  readonly name: string;
  /** N */
  readonly numItems: number;
  /**
   * @param histories item numbers, oldest first, [R] histories; a history may be empty.
   * @returns log-scores [R, N], higher is better; their softmax is the scorer's p_CF. The caller disposes it.
   */
  score(histories: readonly ArrayLike<number>[]): tf.Tensor2D;
  /** As the function `scorePrefixes`; causal models do it in one pass over each history. */
  scorePrefixes?(histories: readonly ArrayLike<number>[], rows: Int32Array, lengths: Int32Array): tf.Tensor2D;
}

/**
 * Scores beginnings of histories.
 *
 * @param rows which history each result row is for, [R], each in [0, histories.length).
 * @param lengths how many of its items, from the oldest, are known, [R], each in [0, the history's length].
 * @returns [R, N], as `ItemScorer.score`. The caller disposes it.
 * @throws IlrecError when rows and lengths differ in number or point outside the histories.
 */
export function scorePrefixes(
  scorer: ItemScorer,
  histories: readonly ArrayLike<number>[],
  rows: Int32Array,
  lengths: Int32Array,
): tf.Tensor2D {
  if (rows.length !== lengths.length) {
    throw new IlrecError(
      `scorePrefixes: rows and lengths must be of the same length, got ${rows.length} and ${lengths.length}`,
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
