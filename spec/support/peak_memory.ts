import * as tf from '@tensorflow/tfjs-core';

/**
 * Largest number of bytes that the engine's tensors held at once while `run` ran, above those before it. Tensors that share values count
 * once, which `tf.memory().numBytes` does not do.
 */
export function peakBytes(run: () => void): number {
  const engine = tf.engine();
  const info = (dataId: object) => engine.state.tensorInfo.get(dataId);
  const { trackTensor, removeDataId } = Object.getPrototypeOf(engine) as { trackTensor: (...args: unknown[]) => void; removeDataId: (...args: unknown[]) => void };
  let [held, peak] = [0, 0];
  const shadows = {
    trackTensor(tensor: tf.Tensor, ...rest: unknown[]): void {
      const known = info(tensor.dataId) !== undefined;
      trackTensor.call(engine, tensor, ...rest);
      if (!known) held += info(tensor.dataId)?.bytes ?? 0;
      peak = Math.max(peak, held);
    },
    removeDataId(dataId: object, ...rest: unknown[]): void {
      const before = info(dataId)?.bytes ?? 0;
      removeDataId.call(engine, dataId, ...rest);
      if (info(dataId) === undefined) held -= before;
    },
  };
  Object.assign(engine, shadows);
  try {
    run();
  } finally {
    for (const name of Object.keys(shadows)) Reflect.deleteProperty(engine, name);
  }
  return peak;
}
