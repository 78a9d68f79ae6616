import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from './own_kernel';

/** What is known of rows of which a part has been seen. */
export interface OnlineSoftmax {
  /** e^(x - m) of the newest part, [R, n]. */
  readonly exponentials: tf.Tensor2D;
  /** m, largest number so far, and the sum of e^(x - m), [R, 2]. */
  readonly state: tf.Tensor2D;
  /** e^(m before - m), by which sums over what was seen before must be multiplied, [R, 1]. */
  readonly factor: tf.Tensor2D;
}

/** The state of rows of which nothing has been seen, [R, 2]. */
export function emptyState(rows: number): tf.Tensor2D {
  const state = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row++) state[2 * row] = -Infinity;
  return tf.tensor2d(state, [rows, 2]);
}

/**
 * Softmax of rows that come in parts (Milakov and Gimelshein, arXiv 1805.02867).
 *
 * ```
 * m' = max(m, max x),   s' = s e^(m - m') + sum e^(x - m')
 * ```
 * @param x the next part, [R, n].
 * @param state [R, 2].
 */
export function onlineSoftmax(x: tf.Tensor2D, state: tf.Tensor2D): OnlineSoftmax {
  const rows = x.shape[0];
  const kernel = ownKernel('ILRecOnlineSoftmax');
  if (kernel !== null) {
    const [exponentials, after] = kernel({ x, before: state }); // [R, n], [R, 3]
    return { exponentials: exponentials as tf.Tensor2D, state: tf.slice(after as tf.Tensor2D, [0, 0], [rows, 2]), factor: tf.slice(after as tf.Tensor2D, [0, 2], [rows, 1]) };
  }
  const [known, sum] = tf.split(state, 2, 1); // [R, 1] each
  const most = tf.maximum(known, tf.max(x, 1, true)); // [R, 1]
  const factor = tf.exp(tf.sub(known, most)) as tf.Tensor2D;
  const exponentials = tf.exp(tf.sub(x, most)) as tf.Tensor2D;
  const sums = tf.add(tf.mul(sum, factor), tf.sum(exponentials, 1, true));
  return { exponentials, state: tf.concat([most, sums], 1) as tf.Tensor2D, factor };
}

/** log sum e^x of each row, from its final state; on the CPU, [R]. */
export function logNormalisers(state: tf.Tensor2D): Float64Array {
  const values = state.dataSync<'float32'>();
  return Float64Array.from({ length: state.shape[0] }, (_, row) => values[2 * row] + Math.log(values[2 * row + 1]));
}
