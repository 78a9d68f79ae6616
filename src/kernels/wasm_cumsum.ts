import * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from './wasm_backend';

/** Counts a negative axis from the end, as the op promises; tfjs's wasm kernel writes out of bounds with one. */
export const wasmCumsum: KernelReplacement = {
  kernelName: 'Cumsum',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const axis = tf.util.parseAxisParam(call.attrs?.axis as number, input(call.inputs, 'x').shape)[0];
          return stock({ ...call, attrs: { ...call.attrs, axis } });
        },
};
