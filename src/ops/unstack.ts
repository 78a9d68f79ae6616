import * as tf from '@tensorflow/tfjs-core';

/**
 * `tf.unstack`, whose gradient in tfjs throws where the axis has one entry.
 *
 * @param axis default 0.
 * @returns the entries along the axis, without it.
 */
export function unstack(x: tf.Tensor, axis = 0): tf.Tensor[] {
  return x.shape[axis] === 1 ? [tf.squeeze(x, [axis])] : tf.unstack(x, axis);
}
