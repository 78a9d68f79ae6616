import type * as tf from '@tensorflow/tfjs-core';

/** A kernel of this package for one backend. */
export interface KernelReplacement {
  readonly kernelName: string;
  /**
   * Makes the kernel function.
   *
   * @param stock the backend package's own function; undefined where it has none.
   * @returns undefined to register nothing.
   */
  readonly create: (stock: tf.KernelFunc | undefined) => tf.KernelFunc | undefined;
}

interface Shaped {
  readonly shape: readonly number[];
}

/** An input that the operation always gives. */
export function input(inputs: { [name: string]: tf.TensorInfo | undefined }, name: string): tf.TensorInfo {
  const info = inputs[name];
  if (info === undefined) throw new Error(`runKernel: the input '${name}' must be given, got none`);
  return info;
}

/** The same data under another shape. It is neither copied nor counted as a holder, so never dispose the result. */
export function withShape(info: tf.TensorInfo, shape: number[]): tf.TensorInfo {
  return { dataId: info.dataId, dtype: info.dtype, shape };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** The number of rows and their length. */
export function rowsOf({ shape }: Shaped): [number, number] {
  const n = shape[shape.length - 1];
  return [n === 0 ? 0 : sizeOf(shape) / n, n];
}

/** Half of the last size. @param name the operation, for the error. */
export function halfOf({ shape }: Shaped, name: string): number {
  const n = shape[shape.length - 1];
  if (n % 2 !== 0) throw new Error(`${name}: the last size must be even, got [${shape.join(', ')}]`);
  return n / 2;
}
