import * as tf from '@tensorflow/tfjs-core';
import { addressOf, type SimdKernels, simdOf } from './simd_module';
import { input, sharing, sizeOf, type KernelReplacement, type WasmBackend } from './wasm_backend';

/** Bytes of one number on the heap; null of types that are not kept there. */
function bytesOf(dtype: tf.DataType): number | null {
  return dtype === 'float32' || dtype === 'int32' ? 4 : null;
}

/** Takes a tensor apart along an axis, line by line; tfjs's copies number by number. */
export const wasmSplit: KernelReplacement = {
  kernelName: 'SplitV',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const wasm = call.backend as WasmBackend;
          const x = input(call.inputs, 'x');
          const simd = simdOf(wasm);
          const bytes = bytesOf(x.dtype);
          if (simd === null || bytes === null) return stock(call);
          const { numOrSizeSplits, axis } = call.attrs as { numOrSizeSplits: number | number[]; axis: number };
          const at = tf.util.parseAxisParam(axis, x.shape)[0];
          const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, at);
          const outer = sizeOf(x.shape.slice(0, at));
          const inner = bytes * sizeOf(x.shape.slice(at + 1));
          const outputs = sizes.map((size) => wasm.makeOutput(x.shape.map((n, i) => (i === at ? size : n)), x.dtype));
          let from = addressOf(wasm, x);
          outputs.forEach((output, i) => {
            simd.kernels.copyLines(outer, from, x.shape[at] * inner, addressOf(wasm, output), sizes[i] * inner, sizes[i] * inner);
            from += sizes[i] * inner;
          });
          return outputs;
        },
};

/** Cuts a box out of a tensor, line by line. */
export const wasmSlice: KernelReplacement = {
  kernelName: 'Slice',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const wasm = call.backend as WasmBackend;
          const x = input(call.inputs, 'x');
          const simd = simdOf(wasm);
          const bytes = bytesOf(x.dtype);
          if (simd === null || bytes === null || x.shape.length === 0) return stock(call);
          const attrs = call.attrs as unknown as { begin: number | number[]; size: number | number[] };
          const [begin, size] = tf.slice_util.parseSliceParams(x as tf.Tensor, attrs.begin, attrs.size);
          tf.slice_util.assertParamsValid(x as tf.Tensor, begin, size);
          const out = wasm.makeOutput(size, x.dtype);
          if (sizeOf(size) > 0) cutBox(simd.kernels, addressOf(wasm, x), x.shape, begin, size, addressOf(wasm, out), bytes);
          return out;
        },
};

/** Copies the lines of a box: what follows the last axis that is cut is contiguous, and lines of one plane follow each other at equal steps. */
function cutBox(kernels: SimdKernels, x: number, shape: readonly number[], begin: readonly number[], size: readonly number[], out: number, bytes: number): void {
  const lastCut = size.findLastIndex((n, axis) => n !== shape[axis]);
  if (lastCut < 0) {
    kernels.copyLines(1, x, 0, out, 0, bytes * sizeOf(shape));
    return;
  }
  const step = (axis: number): number => bytes * sizeOf(shape.slice(axis + 1));
  const line = size[lastCut] * step(lastCut);
  const outer = Math.max(0, lastCut - 1); // the axis along which lines follow each other
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

/** Puts tensors together along an axis, line by line. */
export const wasmConcat: KernelReplacement = {
  kernelName: 'Concat',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const wasm = call.backend as WasmBackend;
          const all = call.inputs as unknown as tf.TensorInfo[];
          const parts = all.filter(({ shape }) => sizeOf(shape) > 0);
          const simd = simdOf(wasm);
          if (simd === null || parts.length < 2) return stock(call);
          const bytes = bytesOf(parts[0].dtype);
          if (bytes === null || parts.some(({ dtype }) => dtype !== parts[0].dtype)) return stock(call);
          const at = tf.util.parseAxisParam(call.attrs?.axis as number, parts[0].shape)[0];
          tf.backend_util.assertParamsConsistent(all.map((part) => part.shape), at);
          const shape = tf.backend_util.computeOutShape(parts.map((part) => part.shape), at);
          const out = wasm.makeOutput(shape, parts[0].dtype);
          const outer = sizeOf(shape.slice(0, at));
          const inner = bytes * sizeOf(shape.slice(at + 1));
          let to = addressOf(wasm, out);
          for (const part of parts) {
            const line = part.shape[at] * inner;
            simd.kernels.copyLines(outer, addressOf(wasm, part), line, to, shape[at] * inner, line);
            to += line;
          }
          return out;
        },
};

/** Leaves a tensor as it is where nothing changes places; exchanges two neighbouring axes of which the inner one is not the last, as attention does with heads and tokens, line by line. */
export const wasmTranspose: KernelReplacement = {
  kernelName: 'Transpose',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const wasm = call.backend as WasmBackend;
          const x = input(call.inputs, 'x');
          const perm = (call.attrs?.perm as number[] | undefined) ?? [];
          const shape = perm.map((axis) => x.shape[axis]);
          const isEmpty = perm.length > 0 && sizeOf(x.shape) === 0 && x.dtype !== 'string' && x.dtype !== 'complex64';
          if (isEmpty) return wasm.makeOutput(shape, x.dtype); // tfjs's kernel divides by zero
          const simd = simdOf(wasm);
          const at = perm.findIndex((axis, i) => axis !== i);
          if (at < 0 && bytesOf(x.dtype) !== null) return sharing(wasm, x); // tfjs copies
          const isSwap = at >= 0 && at + 2 < perm.length && perm.every((axis, i) => axis === (i === at ? at + 1 : i === at + 1 ? at : i));
          if (simd === null || bytesOf(x.dtype) === null || !isSwap) return stock(call);
          const out = wasm.makeOutput(shape, x.dtype);
          const inner = sizeOf(x.shape.slice(at + 2));
          simd.kernels.swapAxes(sizeOf(x.shape.slice(0, at)), x.shape[at], x.shape[at + 1], inner, addressOf(wasm, x), addressOf(wasm, out));
          return out;
        },
};
