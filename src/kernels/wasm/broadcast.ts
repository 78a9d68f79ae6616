import * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, withShape, type KernelReplacement } from '../kernel';
import type { WasmBackend } from './wasm_backend';
import { tileOnHeap } from './tile';

/**
 * Kernels of two operands that take 50 to 100 ns a number where they broadcast a column. Those in elementwise.ts do so
 * with integers only.
 */
const binaryKernels = [
  'SquaredDifference',
  'Equal',
  'NotEqual',
  'Greater',
  'GreaterEqual',
  'Less',
  'LessEqual',
  'Maximum',
  'Minimum',
  'Pow',
  'Mod',
  'FloorDiv',
  'LogicalAnd',
  'LogicalOr',
];
/** With fewer numbers than this, repeating costs as much as it saves. */
const minSize = 256;

/**
 * Repeats the operand that is broadcast along an inner axis, so that tfjs's kernel uses its fast loop over equal
 * shapes.
 */
export const wasmBroadcasts: readonly KernelReplacement[] = binaryKernels.map((kernelName) => ({
  kernelName,
  create: (stock) => (stock === undefined ? undefined : broadcastFirst(stock, kernelName === 'SquaredDifference')),
}));

/** @param floatIsFast whether tfjs's kernel already broadcasts float32 fast. */
export function broadcastFirst(stock: tf.KernelFunc, floatIsFast: boolean): tf.KernelFunc {
  return (call) => {
    const a = input(call.inputs, 'a');
    const b = input(call.inputs, 'b');
    const dtypes = [a.dtype, b.dtype];
    if ((floatIsFast && a.dtype === 'float32') || dtypes.some((dtype) => dtype === 'string' || dtype === 'complex64'))
      return stock(call);
    if (repeatsWhole(a.shape, b.shape) || repeatsWhole(b.shape, a.shape)) return stock(call);
    const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
    if (sizeOf(shape) < minSize) return stock(call);
    const wasm = call.backend as WasmBackend;
    const left = expand(wasm, a, shape);
    const right = expand(wasm, b, shape);
    const out = stock({ inputs: { a: left, b: right }, backend: wasm, attrs: call.attrs });
    if (left.dataId !== a.dataId) wasm.disposeData(left.dataId);
    if (right.dataId !== b.dataId) wasm.disposeData(right.dataId);
    return out;
  };
}

/** Whether broadcasting `small` to `large` repeats all of it as one block, which tfjs's kernels do fast. */
function repeatsWhole(small: readonly number[], large: readonly number[]): boolean {
  const first = small.findIndex((n) => n !== 1);
  if (first < 0) return small.length <= large.length;
  const core = small.slice(first);
  return (
    core.length <= large.length &&
    small.length <= large.length &&
    core.every((n, i) => n === large[large.length - core.length + i])
  );
}

/** `x` repeated along its axes of size 1. Shares the data of `x` if nothing is repeated. */
export function expand(wasm: WasmBackend, x: tf.TensorInfo, shape: readonly number[]): tf.TensorInfo {
  const padded = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
  const reps = padded.map((n, axis) => (n === 1 ? shape[axis] : 1));
  return reps.every((n) => n === 1) ? withShape(x, padded) : tileOnHeap(wasm, withShape(x, padded), reps);
}
