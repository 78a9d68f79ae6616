import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernel';
import type { SimdKernels } from './simd_module';
import { simdReplacement } from './simd_replacement';
import { sharing } from './wasm_backend';

/** Bytes of one number on the heap; null for types that are handled elsewhere. */
function bytesOf(dtype: tf.DataType): number | null {
  return dtype === 'float32' || dtype === 'int32' ? 4 : null;
}

/** Splits a tensor along an axis, line by line. tfjs's kernel copies number by number. */
export const wasmSplit = simdReplacement('SplitV', ({ wasm, kernels, input, address, attrs }) => {
  const x = input('x');
  const bytes = bytesOf(x.dtype);
  if (bytes === null) return null;
  const { numOrSizeSplits, axis: given } = attrs as { numOrSizeSplits: number | number[]; axis: number };
  const axis = tf.util.parseAxisParam(given, x.shape)[0];
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, axis);
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = bytes * sizeOf(x.shape.slice(axis + 1));
  const outputs = sizes.map((size) =>
    wasm.makeOutput(
      x.shape.map((n, i) => (i === axis ? size : n)),
      x.dtype,
    ),
  );
  let from = address(x);
  outputs.forEach((output, i) => {
    const line = sizes[i] * inner;
    kernels.copyLines(outer, from, x.shape[axis] * inner, address(output), line, line);
    from += line;
  });
  return outputs;
});

/** Cuts a box out of a tensor, line by line. */
export const wasmSlice = simdReplacement('Slice', ({ wasm, kernels, input, address, attrs }) => {
  const x = input('x');
  const bytes = bytesOf(x.dtype);
  if (bytes === null || x.shape.length === 0) return null;
  const given = attrs as { begin: number | number[]; size: number | number[] };
  const [begin, size] = tf.slice_util.parseSliceParams(x as tf.Tensor, given.begin, given.size);
  tf.slice_util.assertParamsValid(x as tf.Tensor, begin, size);
  const out = wasm.makeOutput(size, x.dtype);
  if (sizeOf(size) > 0) cutBox(kernels, address(x), x.shape, begin, size, address(out), bytes);
  return out;
});

/**
 * Copies a box line by line. From the last cut axis on numbers are contiguous, and the lines of a plane are equally far
 * apart.
 */
function cutBox(
  kernels: SimdKernels,
  x: number,
  shape: readonly number[],
  begin: readonly number[],
  size: readonly number[],
  out: number,
  bytes: number,
): void {
  const lastCut = size.findLastIndex((n, axis) => n !== shape[axis]);
  if (lastCut < 0) {
    kernels.copyLines(1, x, 0, out, 0, bytes * sizeOf(shape));
    return;
  }
  const step = (axis: number): number => bytes * sizeOf(shape.slice(axis + 1));
  const line = size[lastCut] * step(lastCut);
  const outer = Math.max(0, lastCut - 1); // the axis along which lines are equally far apart
  const lines = lastCut === 0 ? 1 : size[outer];
  let to = out;
  const walk = (axis: number, from: number): void => {
    if (axis < outer) {
      for (let i = 0; i < size[axis]; i++) walk(axis + 1, from + (begin[axis] + i) * step(axis));
      return;
    }
    const first = from + begin[outer] * step(outer) + (lastCut === 0 ? 0 : begin[lastCut] * step(lastCut));
    kernels.copyLines(lines, first, step(outer), to, line, line);
    to += lines * line;
  };
  walk(0, x);
}

/** Joins tensors along an axis, line by line. */
export const wasmConcat = simdReplacement('Concat', ({ wasm, kernels, inputs, address, attrs }) => {
  const all = Object.values(inputs) as tf.TensorInfo[]; // an array of them
  const parts = all.filter(({ shape }) => sizeOf(shape) > 0);
  if (parts.length < 2) return null;
  const [{ dtype }] = parts;
  const bytes = bytesOf(dtype);
  if (bytes === null || parts.some((part) => part.dtype !== dtype)) return null;
  const axis = tf.util.parseAxisParam(attrs.axis as number, parts[0].shape)[0];
  tf.backend_util.assertParamsConsistent(
    all.map(({ shape }) => shape),
    axis,
  );
  const shape = tf.backend_util.computeOutShape(
    parts.map((part) => part.shape),
    axis,
  );
  const out = wasm.makeOutput(shape, dtype);
  const outer = sizeOf(shape.slice(0, axis));
  const inner = bytes * sizeOf(shape.slice(axis + 1));
  let to = address(out);
  for (const part of parts) {
    const line = part.shape[axis] * inner;
    kernels.copyLines(outer, address(part), line, to, shape[axis] * inner, line);
    to += line;
  }
  return out;
});

/**
 * Shares memory if no number moves. Swaps two neighbouring axes line by line, as attention does with heads and tokens,
 * unless the last axis is one of them. Other transpositions are left to tfjs's kernel.
 */
export const wasmTranspose = simdReplacement('Transpose', ({ wasm, kernels, input, address, attrs }) => {
  const x = input('x');
  if (x.dtype === 'string' || x.dtype === 'complex64') return null;
  const perm = (attrs.perm as number[] | undefined) ?? [];
  const shape = perm.map((axis) => x.shape[axis]);
  if (perm.length > 0 && sizeOf(x.shape) === 0) return wasm.makeOutput(shape, x.dtype); // tfjs's kernel divides by zero
  if (bytesOf(x.dtype) === null) return null;
  const first = perm.findIndex((axis, i) => axis !== i);
  if (first < 0) return sharing(wasm, x); // tfjs copies
  const isSwap =
    first + 2 < perm.length &&
    perm.every((axis, i) => axis === (i === first ? first + 1 : i === first + 1 ? first : i));
  if (!isSwap) return null;
  const out = wasm.makeOutput(shape, x.dtype);
  kernels.swapAxes(
    sizeOf(x.shape.slice(0, first)),
    x.shape[first],
    x.shape[first + 1],
    sizeOf(x.shape.slice(first + 2)),
    address(x),
    address(out),
  );
  return out;
});
