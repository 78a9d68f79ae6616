import * as tf from '@tensorflow/tfjs-core';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import { stopGradient } from '../ops/stop_gradient';

export interface CrossLayerDistillationOptions {
  /** Token ids of the slice of the vocabulary on which the distributions are compared, renormalised there. Default the whole vocabulary. */
  itemTokens?: ArrayLike<number>;
}

/**
 * Pulls each intermediate layer's distribution towards the final layer's (CPD; ILRec, arXiv 2602.17410).
 *
 * ```
 * KL_l = mean_t sum_v p^L_t(v) * ( log p^L_t(v) - log p^l_t(v) ),   L_CPD = mean over l in S of KL_l
 * ```
 * The released trainer does not detach the teacher and divides by the vocabulary.
 *
 * @param teacherLogits z^L [P, V]; no gradient flows to it.
 * @param studentLogits z^l for l in S, [S * P, V], layer after layer.
 * @returns [S], KL of each layer, mean over P; its mean is L_CPD. Gradient flows to `studentLogits`.
 */
export function crossLayerDistillation(
  teacherLogits: tf.Tensor2D,
  studentLogits: tf.Tensor2D,
  { itemTokens }: CrossLayerDistillationOptions = {},
): tf.Tensor1D {
  const rows = teacherLogits.shape[0];
  const layers = studentLogits.shape[0] / rows;
  return tf.tidy(() => {
    const slice = itemTokens === undefined ? null : tf.tensor1d(Int32Array.from(itemTokens), 'int32');
    const onSlice = (logits: tf.Tensor2D): tf.Tensor2D => (slice === null ? logits : tf.gather(logits, slice, 1));
    const teacherLog = tf.logSoftmax(onSlice(stopGradient(teacherLogits))); // [P, V]
    const teacher = tf.exp(teacherLog) as tf.Tensor2D; // [P, V]
    const negativeEntropy = tf.sum(tf.mul(teacher, teacherLog), 1); // [P]
    const crossEntropies = softCrossEntropy(onSlice(studentLogits), tf.tile(teacher, [layers, 1])); // [S * P]
    return tf.mean(tf.add(tf.reshape(crossEntropies, [layers, rows]), negativeEntropy), 1) as tf.Tensor1D;
  });
}
