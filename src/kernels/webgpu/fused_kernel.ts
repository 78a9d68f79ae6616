import type * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, type KernelReplacement } from '../wasm/wasm_backend';
import type { WebGpuBackend } from './webgpu_backend';

/** What a kernel of ours works with. */
export interface Call {
  readonly backend: WebGpuBackend;
  input(name: string): tf.TensorInfo;
  attr(name: string): number;
}

/** A kernel that tfjs does not have; the operations of src/ops that use it say what it computes, and compose it where it is absent. */
export function fused(kernelName: string, compute: (call: Call) => tf.TensorInfo | tf.TensorInfo[]): KernelReplacement {
  return {
    kernelName,
    create: () => ({ inputs, attrs, backend }) => compute({ backend: backend as WebGpuBackend, input: (name) => input(inputs, name), attr: (name) => attrs?.[name] as number }),
  };
}

/** Rows and their length. */
export function rowsOf({ shape }: tf.TensorInfo): [number, number] {
  const n = shape[shape.length - 1];
  return [n === 0 ? 0 : sizeOf(shape) / n, n];
}

/** Half of the last size. */
export function halfOf({ shape }: tf.TensorInfo, name: string): number {
  const n = shape[shape.length - 1];
  if (n % 2 !== 0) throw new Error(`${name}: the last size must be even, got [${shape.join(', ')}]`);
  return n / 2;
}
