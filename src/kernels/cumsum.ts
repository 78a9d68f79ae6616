import * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from './kernel';

/**
 * Takes a negative axis too: given one, tfjs's cpu kernel computes nothing and its wasm kernel writes out of bounds.
 */
export const cumsum: KernelReplacement = {
  kernelName: 'Cumsum',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const axis = tf.util.parseAxisParam(call.attrs?.axis as number, input(call.inputs, 'x').shape)[0];
          return stock({ ...call, attrs: { ...call.attrs, axis } });
        },
};
