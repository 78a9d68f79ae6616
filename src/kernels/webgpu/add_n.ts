import type * as tf from '@tensorflow/tfjs-core';
import type { KernelReplacement } from '../kernel';
import type { WebGpuBackend } from './webgpu_backend';

/** Adds any number of tensors. tfjs's kernel binds all of them at once, which fails above the device's limit. */
export const addN: KernelReplacement = {
  kernelName: 'AddN',
  create: (stock) =>
    stock === undefined
      ? undefined
      : ({ inputs, backend, attrs }) => {
          const webgpu = backend as unknown as WebGpuBackend;
          const most = webgpu.device.limits.maxStorageBuffersPerShaderStage - 1; // one is the sum's
          const tensors = Object.values(inputs) as tf.TensorInfo[];
          const add = (parts: tf.TensorInfo[]): tf.TensorInfo =>
            stock({ inputs: parts as unknown as tf.NamedTensorInfoMap, backend, attrs }) as tf.TensorInfo;
          let sum = add(tensors.slice(0, most));
          for (let next = most; next < tensors.length; next += most - 1) {
            const before = sum;
            sum = add([before, ...tensors.slice(next, next + most - 1)]);
            webgpu.disposeData(before.dataId);
          }
          return sum;
        },
};
