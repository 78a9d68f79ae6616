import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';

/** One training row of SASRec: the input, and the next item at each position. */
export interface SASRecRow {
  /** 0, then item numbers + 1, [T]. */
  readonly inputs: Int32Array;
  /** Number of the next item at each position, or -100 where it is not a target, [T]. */
  readonly labels: Int32Array;
}

const IGNORED = -100;

/**
 * Makes the training rows of one history. Every item is the target of exactly one position; the first item is predicted
 * from the start alone.
 *
 * A history longer than `maxHistory` is split into rows that overlap by half, so that later targets see at least
 * maxHistory / 2 items.
 *
 * @param history item numbers, oldest first.
 * @param maxHistory most items before a target; the model's `maxHistory`.
 * @returns the rows; none for an empty history.
 * @example
 * ```ts
 * import { sasrecRows } from 'tfjs-ilrec';
 *
 * const [{ inputs, labels }] = sasrecRows([7, 3, 5], 50);
 * console.log(inputs.join(), labels.join()); // 0,8,4 7,3,5
 * ```
 */
export function sasrecRows(history: ArrayLike<number>, maxHistory: number): SASRecRow[] {
  const rows: SASRecRow[] = [];
  const stride = Math.ceil(maxHistory / 2);
  for (let start = 0, done = 0; done < history.length; start += stride) {
    // items [start, end - 1) are inputs, the last one is only a target
    const end = Math.min(start + maxHistory + 1, history.length);
    const inputs = new Int32Array(end - start);
    const labels = new Int32Array(end - start).fill(IGNORED);
    for (let t = 0; t < inputs.length; t++) {
      if (t > 0) inputs[t] = history[start + t - 1] + 1;
      if (start + t >= done) labels[t] = history[start + t];
    }
    rows.push({ inputs, labels });
    done = end;
  }
  return rows;
}

/**
 * Pads rows on the right into a batch for `fitDataset`.
 *
 * @param rows rows of `sasrecRows`, [B].
 * @param length T. Default the length of the longest row.
 * @returns inputs `xs` and labels `ys`, int32 [B, T]. The caller disposes them.
 * @throws IlrecError when there is no row, or a row is longer than `length`.
 * @example
 * ```ts
 * import { sasrecBatch, sasrecRows } from 'tfjs-ilrec';
 *
 * const { xs, ys } = sasrecBatch([...sasrecRows([7, 3, 5], 50), ...sasrecRows([2], 50)]);
 * console.log(xs.arraySync()); // [ [ 0, 8, 4 ], [ 0, 0, 0 ] ]
 * console.log(ys.arraySync()); // [ [ 7, 3, 5 ], [ 2, -100, -100 ] ]
 * ```
 */
export function sasrecBatch(rows: readonly SASRecRow[], length?: number): { xs: tf.Tensor2D; ys: tf.Tensor2D } {
  if (rows.length === 0) throw new IlrecError('sasrecBatch: there must be at least one row, got none');
  const longest = rows.reduce((most, { inputs }) => Math.max(most, inputs.length), 0);
  const width = length ?? longest;
  if (!(width >= longest))
    throw new IlrecError(`sasrecBatch: length must be at least ${longest}, that of the longest row, got ${width}`);
  const xs = new Int32Array(rows.length * width);
  const ys = new Int32Array(rows.length * width).fill(IGNORED);
  rows.forEach((row, b) => {
    xs.set(row.inputs, b * width);
    ys.set(row.labels, b * width);
  });
  return { xs: tf.tensor2d(xs, [rows.length, width], 'int32'), ys: tf.tensor2d(ys, [rows.length, width], 'int32') };
}
