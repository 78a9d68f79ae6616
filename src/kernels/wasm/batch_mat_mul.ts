import * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, type KernelReplacement } from '../kernel';
import { rearrangedMatMul } from './rearranged_mat_mul';
import { addressOf, type Simd, simdOf } from './simd_module';
import type { WasmBackend } from './wasm_backend';

/**
 * Products in SIMD (assembly/gemm.ts). Plain, transposed, batched and broadcast products are equally fast. Where tfjs
 * runs on several threads, products are rearranged for tfjs's own kernel instead. Other dtypes and wrong shapes are
 * left to tfjs's kernel.
 */
export const wasmBatchMatMul: KernelReplacement = {
  kernelName: 'BatchMatMul',
  create: (stock) => {
    const transposeKernel = tf.getKernel('Transpose', 'wasm')?.kernelFunc;
    if (stock === undefined || transposeKernel === undefined) return undefined;
    const rearranged = rearrangedMatMul(stock, transposeKernel);
    return (call) => {
      const wasm = call.backend as WasmBackend;
      const simd = simdOf(wasm);
      if (simd === null || simd.threaded) return rearranged(call);
      const a = input(call.inputs, 'a');
      const b = input(call.inputs, 'b');
      return (
        matMulOnHeap(wasm, simd, a, b, call.attrs?.transposeA === true, call.attrs?.transposeB === true) ?? stock(call)
      );
    };
  },
};

/** op(a) · op(b), [..., M, N]; null if the operands do not fit or are not float32. */
export function matMulOnHeap(
  wasm: WasmBackend,
  { kernels, scratch }: Simd,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): tf.TensorInfo | null {
  const [m, k] = lastTwo(a, transposeA);
  const [inner, n] = lastTwo(b, transposeB);
  if (a.dtype !== 'float32' || b.dtype !== 'float32' || k !== inner) return null;
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const out = wasm.makeOutput([...batch, m, n], 'float32');
  const count = sizeOf(batch);
  if (m * n * count === 0) return out;
  if (k === 0) {
    wasm.typedArrayFromHeap(out).fill(0);
    return out;
  }
  const [aRow, aColumn] = transposeA ? [1, m] : [k, 1];
  const [bRow, bColumn] = transposeB ? [1, k] : [n, 1];
  const [left, right, to] = [a, b, out].map((info) => addressOf(wasm, info));
  if (sizeOf(batchB) === 1 && !transposeA) {
    // all matrices of a, one below the other
    kernels.gemm(count * m, n, k, left, aRow, aColumn, right, bRow, bColumn, to, n, false, scratch);
    return out;
  }
  const placesA = placesOf(batchA, batch);
  const placesB = placesOf(batchB, batch);
  for (let i = 0; i < count; i++) {
    kernels.gemm(
      m,
      n,
      k,
      left + 4 * m * k * placesA[i],
      aRow,
      aColumn,
      right + 4 * k * n * placesB[i],
      bRow,
      bColumn,
      to + 4 * m * n * i,
      n,
      false,
      scratch,
    );
  }
  return out;
}

/** For each matrix of the broadcast batch, the matrix of the operand that it reads. */
function placesOf(own: readonly number[], batch: readonly number[]): number[] {
  let places = [0];
  const padded = [...new Array<number>(batch.length - own.length).fill(1), ...own];
  batch.forEach((size, axis) => {
    places = places.flatMap((place) =>
      Array.from({ length: size }, (_, i) => place * padded[axis] + (padded[axis] === 1 ? 0 : i)),
    );
  });
  return places;
}

/** The last two sizes of a tensor, swapped if it is read transposed. */
function lastTwo({ shape }: tf.TensorInfo, transposed: boolean): [number, number] {
  const [first, second] = shape.slice(-2);
  return transposed ? [second, first] : [first, second];
}
