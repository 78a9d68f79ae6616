import type * as tf from '@tensorflow/tfjs-core';

/** Reads the float32 values of a tensor and disposes it, also when reading fails. */
export async function readAndDispose(tensor: tf.Tensor): Promise<Float32Array> {
  try {
    return (await tensor.data()) as Float32Array;
  } finally {
    tensor.dispose();
  }
}
