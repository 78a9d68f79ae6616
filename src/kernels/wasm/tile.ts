import type * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, type KernelReplacement } from '../kernel';
import type { HeapView, WasmBackend } from './wasm_backend';

/** Doubles blocks. tfjs's kernel computes every output index (34 ns a number). `where` and `broadcastTo` use it too. */
export const wasmTile: KernelReplacement = {
  kernelName: 'Tile',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const x = input(call.inputs, 'x');
          if (x.dtype === 'string' || x.dtype === 'complex64') return stock(call);
          return tileOnHeap(call.backend as WasmBackend, x, call.attrs?.reps as number[]);
        },
};

/** @param reps how often `x` is repeated along each of its axes. */
export function tileOnHeap(wasm: WasmBackend, x: tf.TensorInfo, reps: readonly number[]): tf.TensorInfo {
  const shape = x.shape.map((n, axis) => n * reps[axis]);
  const out = wasm.makeOutput(shape, x.dtype); // before any view is taken: allocating may move the heap
  if (sizeOf(shape) > 0) tile(wasm.typedArrayFromHeap(x), x.shape, reps, wasm.typedArrayFromHeap(out));
  return out;
}

/** Writes `x`, repeated `reps[axis]` times along each axis, to `out`. No size may be zero. */
export function tile(x: HeapView, shape: readonly number[], reps: readonly number[], out: HeapView): void {
  let whole = shape.length; // axes from here on are copied in one piece
  while (whole > 0 && reps[whole - 1] === 1) whole--;
  const piece = sizeOf(shape.slice(whole));
  let read = 0;
  const write = (axis: number, start: number): number => {
    if (axis === whole) {
      if (piece === 1) out[start] = x[read];
      else out.set(x.subarray(read, read + piece), start);
      read += piece;
      return start + piece;
    }
    let end = start;
    for (let i = 0; i < shape[axis]; i++) end = write(axis + 1, end);
    return repeat(out, start, end, reps[axis]);
  };
  write(0, 0);
}

/** Repeats out[start..end) so that it is there `times` times; returns the end of the last. */
function repeat(out: HeapView, start: number, end: number, times: number): number {
  const length = end - start;
  const stop = start + length * times;
  if (length === 1) {
    out.fill(out[start], start, stop);
    return stop;
  }
  for (let done = length; done < length * times; done *= 2) {
    out.copyWithin(start + done, start, start + Math.min(done, length * times - done));
  }
  return stop;
}
