import type * as tf from '@tensorflow/tfjs-core';

/** The float32 values of a tensor, which is freed, also where reading fails. */
export async function readAndDispose(tensor: tf.Tensor): Promise<Float32Array> {
  try {
    return (await tensor.data()) as Float32Array;
  } finally {
    tensor.dispose();
  }
}
