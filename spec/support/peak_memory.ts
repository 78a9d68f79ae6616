import * as tf from '@tensorflow/tfjs-core';

type Method = (...args: unknown[]) => unknown;

/**
 * Largest number of bytes that the engine's tensors held at once while `run` ran, above those before it. Tensors that
 * share values count once, which `tf.memory().numBytes` does not do; on TensorFlow, a reshaped tensor shares those of
 * the other, though tfjs takes them for two.
 */
export function peakBytes(run: () => void): number {
  const engine = tf.engine();
  const info = (dataId: object) => engine.state.tensorInfo.get(dataId);
  const { trackTensor, removeDataId, runKernel } = Object.getPrototypeOf(engine) as Record<
    'trackTensor' | 'removeDataId' | 'runKernel',
    Method
  >;
  /** Data that were made by reshaping, and whose values they have; how many data have the values of each. */
  const [sources, holders] = [new WeakMap<object, object>(), new WeakMap<object, number>()];
  const sourceOf = (dataId: object): object => sources.get(dataId) ?? dataId;
  const holdersOf = (source: object): number => holders.get(source) ?? 1;
  let reshaped: object | null = null;
  let [held, peak] = [0, 0];
  const shadows = {
    runKernel(name: string, inputs: { x?: tf.Tensor }, ...rest: unknown[]): unknown {
      reshaped =
        name === 'Reshape' && tf.getBackend() === 'tensorflow' && inputs.x !== undefined ? inputs.x.dataId : null;
      try {
        return runKernel.call(engine, name, inputs, ...rest);
      } finally {
        reshaped = null;
      }
    },
    trackTensor(tensor: tf.Tensor, ...rest: unknown[]): void {
      const known = info(tensor.dataId) !== undefined;
      trackTensor.call(engine, tensor, ...rest);
      if (!known && reshaped !== null && tensor.dtype !== 'int32') {
        // the new shape is an int32 tensor itself
        const source = sourceOf(reshaped);
        sources.set(tensor.dataId, source);
        holders.set(source, holdersOf(source) + 1);
      } else if (!known) held += info(tensor.dataId)?.bytes ?? 0;
      peak = Math.max(peak, held);
    },
    removeDataId(dataId: object, ...rest: unknown[]): void {
      const before = info(dataId)?.bytes ?? 0;
      removeDataId.call(engine, dataId, ...rest);
      if (info(dataId) !== undefined) return;
      const source = sourceOf(dataId);
      holders.set(source, holdersOf(source) - 1);
      if (holdersOf(source) === 0) held -= before;
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
