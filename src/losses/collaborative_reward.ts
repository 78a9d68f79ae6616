import * as tf from '@tensorflow/tfjs-core';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import { oneHotLabels } from './cross_entropy';

/**
 * Computes soft cross-entropy towards what a collaborative-filtering model finds likely among the negatives and the
 * label (CRR, collaborative reward regularisation). It keeps likely false negatives from being punished too much.
 *
 * ```
 * r_t = c_t restricted to N_t and y_t, renormalised,   L_CRR = mean_t [ -sum_v r_t(v) * log p^L_t(v) ]
 * ```
 * ILRec, arXiv 2602.17410. In the released trainer the term is divided by 129k and switched off. A row on which c
 * has no mass falls back to the label.
 *
 * @param logits z^L [P, V].
 * @param labels y, int32 [P].
 * @param negatives membership of N_t [P, V], the mask of `selfHardNegatives`.
 * @param reward c [P, V], non-negative mass of each next token.
 * @returns scalar, mean over P. Gradient flows to `logits` only.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { collaborativeReward } from 'tfjs-ilrec';
 *
 * const negatives = tf.tensor2d([[0, 1, 0]]); // token 1
 * const reward = tf.tensor2d([[0.1, 0.3, 0.6]]); // r = (1/4, 3/4, 0): token 2 is neither label nor negative
 * const loss = collaborativeReward(tf.tensor2d([[0, 2, 0]]), tf.tensor1d([0], 'int32'), negatives, reward);
 * console.log(loss.dataSync()[0].toFixed(4)); // 0.7395
 * ```
 */
export function collaborativeReward(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  negatives: tf.Tensor2D,
  reward: tf.Tensor2D,
): tf.Scalar {
  return tf.tidy(() => {
    const target = oneHotLabels(labels, logits.shape[1]); // [P, V]
    const restricted = tf.mul(reward, tf.add(negatives, target)); // c on N_t and y [P, V]
    const total = tf.sum(restricted, 1, true); // [P, 1]
    const hasMass = tf.greater(total, 0); // [P, 1]
    const fallback = tf.mul(target, tf.sub(1, tf.cast(hasMass, 'float32'))); // [P, V]
    const shares = tf.div(restricted, tf.where(hasMass, total, tf.onesLike(total))); // [P, V]
    const soft = tf.add(shares, fallback) as tf.Tensor2D; // r [P, V]
    return tf.mean(softCrossEntropy(logits, soft));
  });
}
