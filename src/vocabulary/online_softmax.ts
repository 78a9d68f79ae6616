import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from '../ops/own_kernel';
import { Running } from './running';

/**
 * Softmax of rows that come in parts (Milakov and Gimelshein, arXiv 1805.02867).
 *
 * ```
 * m' = max(m, max x),   s' = s e^(m - m') + sum e^(x - m')
 * ```
 */
export class OnlineSoftmax {
  /** m, the largest number so far, [R, 1]. */
  private readonly largest: Running;
  /** s, the sum of e^(x - m) so far, [R, 1]. */
  private readonly totals: Running;

  constructor(readonly rows: number) {
    this.largest = new Running(tf.fill([rows, 1], -Infinity) as tf.Tensor2D);
    this.totals = new Running(tf.zeros([rows, 1]) as tf.Tensor2D);
  }

  /** s, [R, 1]: sums of e^(x - m) are divided by it in the end. */
  get sums(): tf.Tensor2D {
    return this.totals.value;
  }

  /**
   * The next part of the rows, [R, n].
   *
   * @returns e^(x - m) with m of this part, and the factor by which sums over earlier parts must be multiplied, [R, n]
   *   and [R, 1].
   */
  add(x: tf.Tensor2D): { exponentials: tf.Tensor2D; factor: tf.Tensor2D } {
    const [exponentials, largest, sums, factor] = next(x, this.largest.value, this.totals.value);
    this.largest.set(largest);
    this.totals.set(sums);
    return { exponentials, factor };
  }

  /** log sum e^x of each row over the parts so far, [R, 1]. */
  logSumExp(): tf.Tensor2D {
    return tf.add(this.largest.value, tf.log(this.totals.value));
  }

  /** The same on the CPU in float64, [R]. */
  readLogSumExp(): Float64Array {
    const [largest, sums] = [this.largest.value.dataSync<'float32'>(), this.totals.value.dataSync<'float32'>()];
    return Float64Array.from(largest, (value, row) => value + Math.log(sums[row]));
  }

  dispose(): void {
    this.largest.dispose();
    this.totals.dispose();
  }
}

function next(x: tf.Tensor2D, known: tf.Tensor2D, sum: tf.Tensor2D): tf.Tensor2D[] {
  const kernel = ownKernel('ILRecOnlineSoftmax');
  if (kernel !== null) return kernel({ x, largest: known, sums: sum }) as tf.Tensor2D[];
  const largest = tf.maximum(known, tf.max(x, 1, true)) as tf.Tensor2D; // [R, 1]
  const factor = tf.exp(tf.sub(known, largest)) as tf.Tensor2D;
  const exponentials = tf.exp(tf.sub(x, largest)) as tf.Tensor2D;
  return [exponentials, largest, tf.add(tf.mul(sum, factor), tf.sum(exponentials, 1, true)), factor];
}
