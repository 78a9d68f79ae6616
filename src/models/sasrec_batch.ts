import * as tf from '@tensorflow/tfjs-core';

/** One row of SASRec's input with the item to come at each position. */
export interface SASRecRow {
  /** 0, then item numbers + 1. */
  readonly inputs: Int32Array;
  /** The item number that comes next, or -100 where it is not a target; as long as `inputs`. */
  readonly labels: Int32Array;
}

const IGNORED = -100;

/**
 * Training rows of one history: every item is the target of exactly one position, the first item too (from the start alone, it teaches popularity).
 * A history longer than the model reads gives several rows that overlap by half, so that later targets still see at least maxHistory / 2 items.
 *
 * @param history item numbers, oldest first.
 * @param maxHistory most items before a target, as the model's.
 */
export function sasrecRows(history: ArrayLike<number>, maxHistory: number): SASRecRow[] {
  const rows: SASRecRow[] = [];
  const stride = Math.ceil(maxHistory / 2);
  for (let start = 0, done = 0; done < history.length; start += stride) {
    const end = Math.min(start + maxHistory + 1, history.length); // items [start, end - 1) are read, the last one is only a target
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

/** Pads rows at the right end into `{ xs, ys }`, int32 [B, T] each, as `fitDataset` and `trainOnBatch` take them; T is the longest row's length, or `length`. */
export function sasrecBatch(
  rows: readonly SASRecRow[],
  length = Math.max(...rows.map((row) => row.inputs.length)),
): { xs: tf.Tensor2D; ys: tf.Tensor2D } {
  const xs = new Int32Array(rows.length * length);
  const ys = new Int32Array(rows.length * length).fill(IGNORED);
  rows.forEach((row, b) => {
    xs.set(row.inputs, b * length);
    ys.set(row.labels, b * length);
  });
  return { xs: tf.tensor2d(xs, [rows.length, length], 'int32'), ys: tf.tensor2d(ys, [rows.length, length], 'int32') };
}
