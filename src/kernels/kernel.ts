import type * as tf from '@tensorflow/tfjs-core';

/**
 * A kernel of ours for one backend. `create` is given the backend package's own kernel function, undefined where it has none,
 * and returns undefined to leave things as they are.
 */
export interface KernelReplacement {
  readonly kernelName: string;
  readonly create: (stock: tf.KernelFunc | undefined) => tf.KernelFunc | undefined;
}

interface Shaped {
  readonly shape: readonly number[];
}

/** Reads an input that the op always gives. */
export function input(inputs: { [name: string]: tf.TensorInfo | undefined }, name: string): tf.TensorInfo {
  const info = inputs[name];
  if (info === undefined) throw new Error(`input: the kernel needs input '${name}', got none`);
  return info;
}

/** The same data under another shape, without a copy and without a reference of its own: never dispose it. */
export function withShape(info: tf.TensorInfo, shape: number[]): tf.TensorInfo {
  return { dataId: info.dataId, dtype: info.dtype, shape };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Rows and their length. */
export function rowsOf({ shape }: Shaped): [number, number] {
  const n = shape[shape.length - 1];
  return [n === 0 ? 0 : sizeOf(shape) / n, n];
}

/** Half of the last size. @param name of the operation, for the error. */
export function halfOf({ shape }: Shaped, name: string): number {
  const n = shape[shape.length - 1];
  if (n % 2 !== 0) throw new Error(`${name}: the last size must be even, got [${shape.join(', ')}]`);
  return n / 2;
}
