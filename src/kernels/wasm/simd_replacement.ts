import type * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from '../kernel';
import { addressOf, type SimdKernels, simdOf } from './simd_module';
import type { WasmBackend } from './wasm_backend';

/** What a SIMD kernel works with. */
export interface SimdCall {
  readonly wasm: WasmBackend;
  readonly kernels: SimdKernels;
  readonly inputs: { readonly [name: string]: tf.TensorInfo | undefined };
  readonly attrs: { readonly [name: string]: unknown };
  /** An input that the operation always gives. */
  input(name: string): tf.TensorInfo;
  /** The address of a tensor's numbers on the heap. */
  address(info: tf.TensorInfo): number;
}

/**
 * A kernel in place of tfjs's, for machines with SIMD.
 *
 * @param compute returns null for what it leaves to the other kernel: other dtypes, other shapes, and wrong ones, for
 *   which tfjs has the error.
 * @param otherwise makes that other kernel; default tfjs's own.
 */
export function simdReplacement(
  kernelName: string,
  compute: (call: SimdCall) => tf.TensorInfo | tf.TensorInfo[] | null,
  otherwise: (stock: tf.KernelFunc) => tf.KernelFunc = (stock) => stock,
): KernelReplacement {
  return {
    kernelName,
    create: (stock) => {
      if (stock === undefined) return undefined;
      const other = otherwise(stock);
      return (call) => {
        const wasm = call.backend as WasmBackend;
        const kernels = simdOf(wasm)?.kernels;
        if (kernels === undefined) return other(call);
        const { inputs, attrs = {} } = call;
        return (
          compute({
            wasm,
            kernels,
            inputs,
            attrs,
            input: (name) => input(inputs, name),
            address: (info) => addressOf(wasm, info),
          }) ?? other(call)
        );
      };
    },
  };
}
