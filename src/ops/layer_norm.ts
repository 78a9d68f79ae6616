import * as tf from '@tensorflow/tfjs-core';

/**
 * Layer normalisation over the last axis (Ba et al., arXiv 1607.06450).
 *
 * ```
 * n = (x - mean(x)) * r,   r = 1 / sqrt(var(x) + eps),   y = gamma * n + beta
 * dx = r * (g - mean(g) - n * mean(g * n)),   g = gamma * dy;   dgamma = sum(dy * n),   dbeta = sum(dy)
 * ```
 * @param x [..., D].
 * @param gamma [D].
 * @param beta [D].
 * @param epsilon added to the variance. Default 1e-6.
 * @returns [..., D].
 */
export function layerNorm<T extends tf.Tensor>(x: T, gamma: tf.Tensor1D, beta: tf.Tensor1D, epsilon = 1e-6): T {
  const size = gamma.shape[0];
  const normalise = tf.customGrad((rows, scale, shift, save) => {
    const input = rows as tf.Tensor2D;
    const weight = scale as tf.Tensor1D;
    const [normed, inverse] = tf.tidy(() => {
      const centred = tf.sub(input, tf.mean(input, 1, true)); // [R, D]
      const r = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), epsilon)); // [R, 1]
      return [tf.mul(centred, r), r];
    });
    (save as tf.GradSaveFunc)([weight, normed, inverse]);
    const value = tf.tidy(() => tf.add(tf.mul(normed, weight), shift as tf.Tensor1D)); // [R, D]
    return {
      value,
      gradFunc: (dy, saved) =>
        tf.tidy(() => {
          const [w, n, r] = saved;
          const gradient = dy as tf.Tensor;
          const dyNormed = tf.mul(gradient, n); // [R, D]
          const weighted = tf.mul(gradient, w); // [R, D]
          const correlated = tf.mul(n, tf.mean(tf.mul(weighted, n), 1, true)); // [R, D]
          const dx = tf.mul(tf.sub(tf.sub(weighted, tf.mean(weighted, 1, true)), correlated), r); // [R, D]
          return [dx, tf.sum(dyNormed, 0), tf.sum(gradient, 0)];
        }),
    };
  });
  return tf.tidy(() => tf.reshape(normalise(tf.reshape(x, [-1, size]), gamma, beta), x.shape)) as T;
}
