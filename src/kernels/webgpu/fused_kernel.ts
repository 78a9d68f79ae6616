import type * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from '../kernel';
import type { WebGpuBackend } from './webgpu_backend';

/** What a kernel of ours works with. */
export interface Call {
  readonly backend: WebGpuBackend;
  input(name: string): tf.TensorInfo;
  attr(name: string): number;
}

/**
 * A kernel that tfjs does not have. The operation of src/ops that uses it says what it computes, and composes it on
 * backends without it.
 */
export function fused(kernelName: string, compute: (call: Call) => tf.TensorInfo | tf.TensorInfo[]): KernelReplacement {
  return {
    kernelName,
    create:
      () =>
      ({ inputs, attrs, backend }) =>
        compute({
          backend: backend as WebGpuBackend,
          input: (name) => input(inputs, name),
          attr: (name) => attrs?.[name] as number,
        }),
  };
}
