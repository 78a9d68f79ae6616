import * as tf from '@tensorflow/tfjs-core';

/**
 * `x · weight` over the last axis, through one plain 2-D product (a broadcast batched product has a wrong gradient in
 * tfjs, and is slow).
 *
 * @param x [..., D].
 * @param weight [D, E], or [E, D] with `transposed`.
 * @returns [..., E].
 */
export function linear(x: tf.Tensor, weight: tf.Tensor2D, transposed = false): tf.Tensor {
  const inner = x.shape[x.rank - 1];
  const outer = transposed ? weight.shape[0] : weight.shape[1];
  return tf.tidy(() =>
    tf.reshape(tf.matMul(tf.reshape(x, [-1, inner]), weight, false, transposed), [...x.shape.slice(0, -1), outer]),
  );
}
