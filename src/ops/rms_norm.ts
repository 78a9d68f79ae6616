import * as tf from '@tensorflow/tfjs-core';

/**
 * Root mean square normalisation over the last axis (Zhang & Sennrich, arXiv 1910.07467).
 *
 * ```
 * y = w * x * r,   r = 1 / sqrt(mean(x^2) + eps)
 * dx = r * (w dy - x r^2 * mean(w dy x)),   dw = sum(dy x r)
 * ```
 * @param x [..., D].
 * @param weight [D].
 * @returns [..., D].
 */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, epsilon = 1e-6): T {
  const size = weight.shape[0];
  const normalise = tf.customGrad((rows, scale, save) => {
    const input = rows as tf.Tensor2D;
    const w = scale as tf.Tensor1D;
    const inverse = tf.tidy(() => tf.rsqrt(tf.add(tf.mean(tf.square(input), 1, true), epsilon))); // [R, 1]
    (save as tf.GradSaveFunc)([input, w, inverse]);
    const value = tf.tidy(() => tf.mul(tf.mul(input, inverse), w)); // [R, D]
    return {
      value,
      gradFunc: (dy, saved) =>
        tf.tidy(() => {
          const [x2, w2, r] = saved as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D];
          const normed = tf.mul(x2, r); // [R, D]
          const dyNormed = tf.mul(dy as tf.Tensor, normed); // [R, D]
          const weighted = tf.mul(dy as tf.Tensor, w2); // [R, D]
          const mean = tf.mean(tf.mul(weighted, normed), 1, true); // [R, 1]
          const dx = tf.mul(tf.sub(weighted, tf.mul(normed, mean)), r); // [R, D]
          return [dx, tf.sum(dyNormed, 0)];
        }),
    };
  });
  return tf.tidy(() => tf.reshape(normalise(tf.reshape(x, [-1, size]), weight), x.shape)) as T;
}
