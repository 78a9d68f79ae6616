import * as tf from '@tensorflow/tfjs-core';

/** Runs `compute` in a tidy and off the tape: nothing is kept for a gradient, and none flows through it. */
export function withoutTape<T extends tf.Tensor>(compute: () => T): T {
  const untaped = tf.customGrad(() => ({ value: tf.tidy(compute), gradFunc: (dy) => tf.zerosLike(dy as tf.Tensor) }));
  return tf.tidy(() => untaped(tf.scalar(0))) as T;
}
