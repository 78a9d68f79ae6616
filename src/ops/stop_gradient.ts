import * as tf from '@tensorflow/tfjs-core';

/**
 * The same values off the tape: no gradient flows back, so operations without a gradient may follow.
 *
 * Runs the backend's Identity kernel directly, so that nothing is recorded and no zeros are ever made or added (a
 * `tf.customGrad` that returns zeros would still put every operation after it on the path from loss to weights).
 */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  const kernel = tf.getKernel('Identity', tf.getBackend());
  if (kernel === undefined) throw new Error(`stopGradient: backend "${tf.getBackend()}" has no Identity kernel`);
  const output = kernel.kernelFunc({ inputs: { x }, backend: tf.backend() });
  const info = Array.isArray(output) ? output[0] : output;
  return (info instanceof tf.Tensor ? info : tf.engine().makeTensorFromTensorInfo(info)) as T;
}
