import * as tf from '@tensorflow/tfjs-core';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import { oneHotLabels } from './cross_entropy';

/**
 * Soft cross-entropy towards what a collaborative-filtering model holds likely among the negatives and the label, so that likely false
 * negatives are not over-punished (CRR; ILRec, arXiv 2602.17410).
 *
 * ```
 * r_t = c_t restricted to N_t and y_t, renormalised,   L_CRR = mean_t [ -sum_v r_t(v) * log p^L_t(v) ]
 * ```
 * A row on which c has no mass falls back to the label alone.
 *
 * @param logits z^L [P, V].
 * @param labels int32 [P].
 * @param negatives membership of N_t [P, V], the mask of `selfHardNegatives`.
 * @param reward c [P, V], non-negative mass of each next token.
 * @returns scalar, mean over P. Gradient flows to `logits` only.
 */
export function collaborativeReward(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  negatives: tf.Tensor2D,
  reward: tf.Tensor2D,
): tf.Scalar {
  return tf.tidy(() => {
    const target = oneHotLabels(labels, logits.shape[1]); // [P, V]
    const restricted = tf.mul(reward, tf.add(negatives, target)); // [P, V]
    const total = tf.sum(restricted, 1, true); // [P, 1]
    const hasMass = tf.greater(total, 0); // [P, 1]
    const fallback = tf.mul(target, tf.sub(1, tf.cast(hasMass, 'float32'))); // [P, V]
    const soft = tf.add(tf.div(restricted, tf.where(hasMass, total, tf.onesLike(total))), fallback) as tf.Tensor2D;
    return tf.mean(softCrossEntropy(logits, soft));
  });
}
