import * as tf from '@tensorflow/tfjs-core';
import { oneHotLabels } from './cross_entropy';
import type { SelfHardNegatives } from './self_hard_negatives';

/**
 * Puts random tokens in the place of negatives: as many at each position, with equal weights. It shows what the choice
 * of the negatives is worth.
 *
 * ```
 * N'_t = |N_t| tokens v != y_t, drawn uniformly without replacement,   w_t(v) = 1 / |N_t|
 * ```
 *
 * @param mask membership of N_t [P, V], the mask of `selfHardNegatives`.
 * @param labels y, int32 [P].
 * @param seed of the draw, above 0.
 * @param allowed tokens that can be drawn, 1 or 0, [P, V]. Default all.
 * @returns mask and weights [P, V]; fewer negatives where fewer tokens are allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { randomNegatives } from 'tfjs-ilrec';
 *
 * const { mask } = randomNegatives(tf.tensor2d([[0, 1, 1, 0]]), tf.tensor1d([0], 'int32'), 7);
 * console.log(tf.sum(mask).dataSync()[0], mask.arraySync()[0][0]); // 2 0
 * ```
 */
export function randomNegatives(
  mask: tf.Tensor2D,
  labels: tf.Tensor1D,
  seed: number,
  allowed: tf.Tensor2D | null = null,
): SelfHardNegatives {
  return tf.tidy(() => {
    const vocabSize = mask.shape[1];
    const other = tf.sub(1, oneHotLabels(labels, vocabSize)); // [P, V]
    const open = allowed === null ? other : tf.mul(other, allowed); // [P, V]
    const counts = tf.sum(mask, 1, true); // |N_t| [P, 1]
    const keys = tf.sub(tf.mul(tf.randomUniform(mask.shape, 0.5, 1, 'float32', seed), open), tf.sub(1, open)); // -1 closed
    const sorted = tf.topk(keys, vocabSize, true).values; // [P, V]
    const last = tf.oneHot(tf.cast(tf.sub(tf.squeeze(counts, [1]), 1), 'int32'), vocabSize); // [P, V], none for -1
    const least = tf.add(tf.sum(tf.mul(sorted, last), 1, true), tf.cast(tf.equal(counts, 0), 'float32')); // [P, 1]
    const chosen = tf.mul(tf.cast(tf.greaterEqual(keys, least), 'float32'), open) as tf.Tensor2D;
    const some = tf.mul(chosen, tf.cast(tf.greater(counts, 0), 'float32')) as tf.Tensor2D;
    const total = tf.sum(some, 1, true);
    return { mask: some, weights: tf.div(some, tf.maximum(total, 1)) as tf.Tensor2D };
  });
}
