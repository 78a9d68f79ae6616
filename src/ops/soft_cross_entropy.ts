import * as tf from '@tensorflow/tfjs-core';

/**
 * Cross-entropy of each row of logits against a row of target probabilities.
 *
 * ```
 * out_r = sum_v t_rv * (logsumexp(z_r) - z_rv)          d out_r / d z_rv = softmax(z_r)_v * sum(t_r) - t_rv
 * ```
 * The softmax of the forward pass is kept for the gradient, so each row is exponentiated once.
 *
 * @param logits [R, V].
 * @param targets [R, V], non-negative; a one-hot row is the ordinary cross-entropy, an all-zero row gives 0.
 * @returns [R]. Gradient flows to `logits` only; `targets` are taken as constants.
 */
export function softCrossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Tensor1D {
  const rowLoss = tf.customGrad((z, save) => {
    const { value, gradient } = tf.tidy(() => {
      const shifted = tf.sub(z as tf.Tensor, tf.max(z as tf.Tensor, 1, true)); // [R, V]
      const exponentials = tf.exp(shifted); // [R, V]
      const total = tf.sum(exponentials, 1, true); // [R, 1]
      const mass = tf.sum(targets, 1, true); // [R, 1]
      const value = tf.sub(tf.mul(mass, tf.log(total)), tf.sum(tf.mul(targets, shifted), 1, true)); // [R, 1]
      const gradient = tf.sub(tf.mul(exponentials, tf.div(mass, total)), targets); // [R, V]
      return { value: tf.squeeze(value, [1]), gradient };
    });
    (save as tf.GradSaveFunc)([gradient]);
    return { value, gradFunc: (dy, saved) => tf.mul(tf.expandDims(dy as tf.Tensor, 1), saved[0]) };
  });
  return rowLoss(logits) as tf.Tensor1D;
}
