import * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, withShape } from '../kernel';
import { expand } from './broadcast';
import type { WasmBackend } from './wasm_backend';

/** A product of a batch with fewer multiply-adds than this is not worth XNNPACK's set-up (about 4 µs). */
const minBatchedWork = 8192;
/**
 * With this many times more columns than rows, packing the right operand costs more than computing the transposed
 * product.
 */
const wideFactor = 8;

/** The sizes of out[b] = op(a[b]) · op(b[b]): [M, K] · [K, N]. */
interface Sizes {
  readonly rows: number; // M
  readonly inner: number; // K
  readonly columns: number; // N
}

/**
 * Products for tfjs's kernel on several threads. It uses XNNPACK, and its threads, only for one plain [M, K] · [K, N];
 * transposed and batched products run in scalar loops, 8 to 60 times slower. So operands are transposed first, and the
 * larger products of a batch run one by one. Where both batches are broadcast, tfjs pairs the wrong matrices, so they
 * are repeated first. Other dtypes and wrong shapes are left to tfjs's kernel.
 */
export function rearrangedMatMul(stock: tf.KernelFunc, transposeKernel: tf.KernelFunc): tf.KernelFunc {
  const matMul: tf.KernelFunc = (call) => {
    const wasm = call.backend as WasmBackend;
    const a = input(call.inputs, 'a');
    const b = input(call.inputs, 'b');
    const transposeA = call.attrs?.transposeA === true;
    const transposeB = call.attrs?.transposeB === true;
    const [aRows, aInner] = matrixSizes(a, transposeA);
    const [bInner, bColumns] = matrixSizes(b, transposeB);
    const batchA = sizeOf(a.shape.slice(0, -2));
    const batchB = sizeOf(b.shape.slice(0, -2));
    if (a.dtype !== 'float32' || b.dtype !== 'float32' || aInner !== bInner) return stock(call);

    const outerShape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const shape = [...outerShape, aRows, bColumns];
    if (sizeOf(shape) === 0 || aInner === 0) return zeros(wasm, shape);
    const folds = batchB === 1 && (batchA === 1 || !transposeA); // all matrices of a, one below the other
    const batch = sizeOf(outerShape);
    if (batchA > 1 && batchB > 1 && (batchA !== batch || batchB !== batch))
      return repeatedFirst(wasm, matMul, call, outerShape);
    if (batchA !== batchB && !folds) return stock(call);
    const turn = (x: tf.TensorInfo): tf.TensorInfo => transposeLast(wasm, transposeKernel, x);

    if (folds) {
      const sizes = { rows: batchA * aRows, inner: aInner, columns: bColumns };
      const a2d = withShape(a, transposeA ? [aInner, aRows] : [sizes.rows, aInner]);
      const b2d = withShape(b, b.shape.slice(-2));
      return withShape(product(wasm, stock, turn, a2d, b2d, transposeA, transposeB, sizes), shape);
    }
    if (outerShape.length === 0 || aRows * aInner * bColumns < minBatchedWork) return stock(call);
    const a3d = withShape(a, [batchA, ...a.shape.slice(-2)]);
    const b3d = withShape(b, [batchB, ...b.shape.slice(-2)]);
    const left = transposeA ? turn(a3d) : a3d;
    const right = transposeB ? turn(b3d) : b3d;
    const out = wasm.makeOutput(shape, 'float32');
    productEach(wasm, left, right, out, { rows: aRows, inner: aInner, columns: bColumns });
    if (left !== a3d) wasm.disposeData(left.dataId);
    if (right !== b3d) wasm.disposeData(right.dataId);
    return out;
  };
  return matMul;
}

/** The product, with both operands repeated to the whole batch. */
function repeatedFirst(
  wasm: WasmBackend,
  matMul: tf.KernelFunc,
  { inputs, attrs }: Parameters<tf.KernelFunc>[0],
  batch: readonly number[],
): tf.TensorInfo {
  const operands = [input(inputs, 'a'), input(inputs, 'b')];
  const [a, b] = operands.map((x) => expand(wasm, x, [...batch, ...x.shape.slice(-2)]));
  const out = matMul({ inputs: { a, b }, backend: wasm, attrs }) as tf.TensorInfo;
  [a, b].forEach(({ dataId }, i) => dataId !== operands[i].dataId && wasm.disposeData(dataId));
  return out;
}

/** One product through XNNPACK: A · B, or (Bᵀ · Aᵀ)ᵀ where that saves packing a wide right operand. */
function product(
  wasm: WasmBackend,
  stock: tf.KernelFunc,
  turn: (x: tf.TensorInfo) => tf.TensorInfo,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  { rows, columns }: Sizes,
): tf.TensorInfo {
  const plain = (left: tf.TensorInfo, right: tf.TensorInfo): tf.TensorInfo =>
    stock({
      inputs: { a: left, b: right },
      backend: wasm,
      attrs: { transposeA: false, transposeB: false },
    }) as tf.TensorInfo;
  const temporary: tf.TensorInfo[] = [];
  const turned = (x: tf.TensorInfo): tf.TensorInfo => {
    const result = turn(x);
    temporary.push(result);
    return result;
  };
  let out: tf.TensorInfo;
  if (transposeB && wideFactor * rows <= columns) {
    const flipped = plain(b, transposeA ? a : turned(a)); // [N, M]
    temporary.push(flipped);
    out = turn(flipped); // [M, N]
  } else {
    out = plain(transposeA ? turned(a) : a, transposeB ? turned(b) : b); // [M, N]
  }
  for (const { dataId } of temporary) wasm.disposeData(dataId);
  return out;
}

type NativeBatchMatMul = (...values: (number | Uint8Array)[]) => void;
/** tfjs's own product, by its WebAssembly module. */
const nativeByModule = new WeakMap<object, NativeBatchMatMul>();

/** out[i] = left[i] · right[i], each through XNNPACK on windows of the tensors' memory. */
function productEach(
  wasm: WasmBackend,
  left: tf.TensorInfo,
  right: tf.TensorInfo,
  out: tf.TensorInfo,
  sizes: Sizes,
): void {
  let native = nativeByModule.get(wasm.wasm);
  if (native === undefined) {
    native = wasm.wasm.cwrap('BatchMatMul', null, [
      'number',
      'array',
      'number',
      'number',
      'array',
      'number',
      'number',
      'number',
      'number',
    ]);
    nativeByModule.set(wasm.wasm, native);
  }
  const { rows, inner, columns } = sizes;
  const leftShape = new Uint8Array(Int32Array.of(1, rows, inner).buffer);
  const rightShape = new Uint8Array(Int32Array.of(1, inner, columns).buffer);
  for (let i = 0; i < left.shape[0]; i++) {
    const windows = [
      windowOf(wasm, left, i, rows * inner),
      windowOf(wasm, right, i, inner * columns),
      windowOf(wasm, out, i, rows * columns),
    ];
    const [leftId, rightId, outId] = windows.map(({ dataId }) => wasm.dataIdMap.get(dataId).id);
    native(leftId, leftShape, 3, rightId, rightShape, 3, 0, 0, outId);
    for (const window of windows) forget(wasm, window);
  }
}

/** `size` floats of a tensor's memory from `index * size` on, under a data id of their own. */
function windowOf(wasm: WasmBackend, info: tf.TensorInfo, index: number, size: number): tf.TensorInfo {
  const { memoryOffset } = wasm.dataIdMap.get(info.dataId);
  return wasm.makeOutput([size], 'float32', memoryOffset + Float32Array.BYTES_PER_ELEMENT * index * size);
}

/** Drops a window and the operator that XNNPACK cached for it. Its memory belongs to the tensor and is not freed. */
function forget(wasm: WasmBackend, window: tf.TensorInfo): void {
  wasm.wasm.tfjs.disposeData(wasm.dataIdMap.get(window.dataId).id);
  wasm.dataIdMap.delete(window.dataId);
}

function transposeLast(wasm: WasmBackend, kernel: tf.KernelFunc, x: tf.TensorInfo): tf.TensorInfo {
  const perm = x.shape.length === 2 ? [1, 0] : [0, 2, 1];
  return kernel({ inputs: { x }, backend: wasm, attrs: { perm } }) as tf.TensorInfo;
}

/** The last two sizes of a tensor, swapped if it is read transposed. */
function matrixSizes({ shape }: tf.TensorInfo, transposed: boolean): [number, number] {
  const [first, second] = shape.slice(-2);
  return transposed ? [second, first] : [first, second];
}

function zeros(wasm: WasmBackend, shape: number[]): tf.TensorInfo {
  const out = wasm.makeOutput(shape, 'float32');
  wasm.typedArrayFromHeap(out).fill(0);
  return out;
}
