import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from './own_kernel';

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
    const [value, inverse] = forward(input, w, epsilon); // [R, D], [R, 1]
    (save as tf.GradSaveFunc)([input, w, inverse]);
    return {
      value,
      gradFunc: (dy, saved) =>
        backward(saved[0] as tf.Tensor2D, saved[1] as tf.Tensor1D, saved[2] as tf.Tensor2D, dy as tf.Tensor2D),
    };
  });
  return tf.tidy(() => tf.reshape(normalise(tf.reshape(x, [-1, size]), weight), x.shape)) as T;
}

/** y [R, D] and r [R, 1]. */
function forward(x: tf.Tensor2D, weight: tf.Tensor1D, epsilon: number): tf.Tensor[] {
  const kernel = ownKernel('ILRecRmsNorm');
  if (kernel !== null) return kernel({ x, weight }, { epsilon });
  const inverse = tf.tidy(() => tf.rsqrt(tf.add(tf.mean(tf.square(x), 1, true), epsilon))); // [R, 1]
  return [tf.tidy(() => tf.mul(tf.mul(x, inverse), weight)), inverse];
}

/** dx [R, D] and dw [D]. */
function backward(x: tf.Tensor2D, weight: tf.Tensor1D, inverse: tf.Tensor2D, dy: tf.Tensor2D): tf.Tensor[] {
  const kernel = ownKernel('ILRecRmsNormGrad');
  if (kernel !== null) return kernel({ x, weight, inverse, dy });
  return tf.tidy(() => {
    const normed = tf.mul(x, inverse); // [R, D]
    const weighted = tf.mul(dy, weight); // [R, D]
    const mean = tf.mean(tf.mul(weighted, normed), 1, true); // [R, 1]
    return [tf.mul(tf.sub(weighted, tf.mul(normed, mean)), inverse), tf.sum(tf.mul(dy, normed), 0)];
  });
}
