import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import { stopGradient } from '../ops/stop_gradient';
import { warnOnce } from '../warn_once';

export interface CrossLayerDistillationOptions {
  /** Token ids on which the distributions are compared, renormalised there. Default the whole vocabulary. */
  distillationTokens?: ArrayLike<number>;
  /** @deprecated The old name of `distillationTokens`. */
  itemTokens?: ArrayLike<number>;
}

/**
 * Computes how far each intermediate layer's distribution is from the final layer's (CPD, cross-layer preference
 * distillation).
 *
 * ```
 * KL_l = mean_t sum_v p^L_t(v) * ( log p^L_t(v) - log p^l_t(v) ),   L_CPD = mean over l in S of KL_l
 * ```
 * ILRec, arXiv 2602.17410. The released trainer lets gradient into the teacher and divides by the vocabulary.
 *
 * @param teacherLogits z^L [P, V].
 * @param studentLogits z^l for l in S, [S * P, V], layer after layer.
 * @param options see `CrossLayerDistillationOptions`.
 * @returns [S], KL of each layer, mean over P; its mean is L_CPD. Gradient flows to `studentLogits`; none to
 *   `teacherLogits`.
 * @throws IlrecError when the option is given under both names.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { crossLayerDistillation } from 'tfjs-ilrec';
 *
 * const teacher = tf.tensor2d([[0, 0]]); // p^L = (1/2, 1/2)
 * const students = tf.log(tf.tensor2d([[0.25, 0.75], [0.5, 0.5]])) as tf.Tensor2D; // two layers
 * const kl = crossLayerDistillation(teacher, students);
 * console.log([...kl.dataSync()].map((value) => value.toFixed(4))); // [ '0.1438', '0.0000' ]
 * ```
 */
export function crossLayerDistillation(
  teacherLogits: tf.Tensor2D,
  studentLogits: tf.Tensor2D,
  options: CrossLayerDistillationOptions = {},
): tf.Tensor1D {
  const distillationTokens = distillationTokensOf('crossLayerDistillation', options);
  const numRows = teacherLogits.shape[0]; // P
  const layers = studentLogits.shape[0] / numRows; // S
  return tf.tidy(() => {
    const slice = distillationTokens === undefined ? null : tf.tensor1d(Int32Array.from(distillationTokens), 'int32');
    const onSlice = (logits: tf.Tensor2D): tf.Tensor2D => (slice === null ? logits : tf.gather(logits, slice, 1));
    const teacherLog = tf.logSoftmax(onSlice(stopGradient(teacherLogits))); // log p^L [P, V]
    const teacher = tf.exp(teacherLog) as tf.Tensor2D; // p^L [P, V]
    const negativeEntropy = tf.sum(tf.mul(teacher, teacherLog), 1); // sum p^L log p^L [P]
    const targets = tf.tile(teacher, [layers, 1]) as tf.Tensor2D; // [S * P, V]
    const crossEntropies = softCrossEntropy(onSlice(studentLogits), targets); // -sum p^L log p^l [S * P]
    return tf.mean(tf.add(tf.reshape(crossEntropies, [layers, numRows]), negativeEntropy), 1) as tf.Tensor1D;
  });
}

/** The tokens of an option under its new or its old name. @param name of the function that the user called. */
export function distillationTokensOf(
  name: string,
  { distillationTokens, itemTokens }: CrossLayerDistillationOptions,
): ArrayLike<number> | undefined {
  if (itemTokens === undefined) return distillationTokens;
  if (distillationTokens !== undefined)
    throw new IlrecError(`${name}: itemTokens is the old name of distillationTokens, got both; remove itemTokens`);
  warnOnce(`${name}: the option itemTokens is now called distillationTokens; the old name still works`);
  return itemTokens;
}
