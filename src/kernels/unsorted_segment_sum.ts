import type * as tf from '@tensorflow/tfjs-core';
import { addressOf, simdOf } from './wasm/simd_module';
import { input, sizeOf, type KernelReplacement } from './kernel';
import type { WasmBackend } from './wasm/wasm_backend';

type Numbers = Float32Array | Int32Array | Uint8Array;

/**
 * Adds row r of `x` to row `ids[r]` of `out`, in one pass. Rows whose id is not in [0, S) are skipped.
 *
 * @param x [R * inner] row by row.
 * @param ids [R].
 * @param out [S * inner], all zero on entry.
 */
export function addRowsBySegment(x: Numbers, ids: ArrayLike<number>, inner: number, out: Numbers): void {
  const numSegments = inner === 0 ? 0 : out.length / inner;
  for (let row = 0; row < ids.length; row++) {
    const segment = ids[row];
    if (!(segment >= 0 && segment < numSegments)) continue;
    const from = row * inner;
    const to = segment * inner;
    for (let i = 0; i < inner; i++) out[to + i] += x[from + i];
  }
}

/** The sum's shape [S, ...] and the size of one row. `segmentIds` has the shape of the leading axes of `x`. */
export function planSegmentSum(
  x: tf.TensorInfo,
  segmentIds: tf.TensorInfo,
  numSegments: number,
): { shape: number[]; inner: number; dtype: 'float32' | 'int32' } {
  const rank = segmentIds.shape.length;
  if (segmentIds.shape.some((n, axis) => n !== x.shape[axis])) {
    throw new Error(
      `unsortedSegmentSum: segmentIds must have the leading shape of x, got [${segmentIds.shape}] for [${x.shape}]`,
    );
  }
  const rest = x.shape.slice(rank);
  return { shape: [numSegments, ...rest], inner: sizeOf(rest), dtype: x.dtype === 'float32' ? 'float32' : 'int32' };
}

/** The gradient of `gather`, so of every embedding; tfjs's wasm backend has no such kernel. */
export const wasmUnsortedSegmentSum: KernelReplacement = {
  kernelName: 'UnsortedSegmentSum',
  create: (stock) => (stock === undefined ? segmentSumOnHeap : undefined),
};

const segmentSumOnHeap: tf.KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as WasmBackend;
  const x = input(inputs, 'x');
  const segmentIds = input(inputs, 'segmentIds');
  const { shape, inner, dtype } = planSegmentSum(x, segmentIds, attrs?.numSegments as number);
  const sum = wasm.makeOutput(shape, dtype); // before any view is taken: allocating may move the heap
  const simd = simdOf(wasm);
  if (simd !== null && dtype === 'float32' && segmentIds.dtype === 'int32') {
    const seen = wasm.makeOutput([shape[0]], 'bool');
    simd.kernels.sumLines(
      sizeOf(segmentIds.shape),
      addressOf(wasm, x),
      addressOf(wasm, segmentIds),
      inner,
      addressOf(wasm, sum),
      shape[0],
      addressOf(wasm, seen),
    );
    wasm.disposeData(seen.dataId);
    return sum;
  }
  const out = wasm.typedArrayFromHeap(sum).fill(0);
  addRowsBySegment(wasm.typedArrayFromHeap(x), wasm.typedArrayFromHeap(segmentIds), inner, out);
  return sum;
};

interface CpuBackend {
  readonly data: { get(dataId: object): { values: Numbers } };
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: Numbers): tf.TensorInfo;
}

/**
 * One pass over `x`, where tfjs's cpu kernel makes one for each segment. Integers stay integers, as on the other
 * backends; tfjs's kernel returns floats.
 */
export const cpuUnsortedSegmentSum: KernelReplacement = {
  kernelName: 'UnsortedSegmentSum',
  create:
    () =>
    ({ inputs, backend, attrs }) => {
      const cpu = backend as CpuBackend;
      const x = input(inputs, 'x');
      const segmentIds = input(inputs, 'segmentIds');
      const { shape, inner, dtype } = planSegmentSum(x, segmentIds, attrs?.numSegments as number);
      const size = sizeOf(shape);
      const out = dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
      addRowsBySegment(cpu.data.get(x.dataId).values, cpu.data.get(segmentIds.dataId).values, inner, out);
      return cpu.makeTensorInfo(shape, dtype, out);
    },
};
