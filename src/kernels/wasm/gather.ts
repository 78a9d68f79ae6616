import * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, type KernelReplacement } from '../kernel';
import { addressOf, simdOf } from './simd_module';
import type { HeapView, WasmBackend } from './wasm_backend';

/** With fewer numbers than this, a loop is faster than a block copy. */
const minBlock = 16;

/**
 * Copies whole slices. tfjs's kernel computes every output index (25 ns a number) and reads out of bounds with
 * `batchDims`.
 */
export const wasmGather: KernelReplacement = {
  kernelName: 'GatherV2',
  create: (stock) => (stock === undefined ? undefined : gatherOnHeap(stock)),
};

function gatherOnHeap(stock: tf.KernelFunc): tf.KernelFunc {
  return (call) => {
    const wasm = call.backend as WasmBackend;
    const x = input(call.inputs, 'x');
    const indices = input(call.inputs, 'indices');
    if (x.dtype === 'string' || x.dtype === 'complex64') return stock(call);
    const axis = tf.util.parseAxisParam(call.attrs?.axis as number, x.shape)[0];
    const batchDims = (call.attrs?.batchDims as number | undefined) ?? 0;
    const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
      x as tf.Tensor,
      indices as tf.Tensor,
      axis,
      batchDims,
    );
    const out = wasm.makeOutput(info.outputShape, x.dtype); // before any view is taken: allocating may move the heap
    const picks = wasm.typedArrayFromHeap(indices);
    for (const index of picks) {
      if (!(index >= 0 && index < info.dimSize)) {
        wasm.disposeData(out.dataId);
        throw new Error(`GatherV2: the index value ${index} is not in [0, ${info.dimSize - 1}]`);
      }
    }
    const simd = simdOf(wasm);
    const bytes = Float32Array.BYTES_PER_ELEMENT * info.sliceSize;
    if (
      simd !== null &&
      x.dtype !== 'bool' &&
      indices.dtype === 'int32' &&
      info.batchSize === 1 &&
      info.outerSize === 1
    ) {
      simd.kernels.gatherLines(picks.length, addressOf(wasm, x), addressOf(wasm, indices), bytes, addressOf(wasm, out));
    } else if (sizeOf(info.outputShape) > 0)
      copySlices(wasm.typedArrayFromHeap(x), picks, info, wasm.typedArrayFromHeap(out));
    return out;
  };
}

/** out[b, o, i] = x[b, o, picks[b, i]], where each is a slice of `sliceSize` numbers. */
function copySlices(
  x: HeapView,
  picks: HeapView,
  {
    batchSize,
    outerSize,
    dimSize,
    sliceSize,
  }: { batchSize: number; outerSize: number; dimSize: number; sliceSize: number },
  out: HeapView,
): void {
  const perBatch = picks.length / batchSize;
  let to = 0;
  for (let batch = 0; batch < batchSize; batch++) {
    for (let outer = 0; outer < outerSize; outer++) {
      const base = (batch * outerSize + outer) * dimSize;
      for (let i = 0; i < perBatch; i++, to += sliceSize) {
        const from = (base + picks[batch * perBatch + i]) * sliceSize;
        if (sliceSize < minBlock) for (let j = 0; j < sliceSize; j++) out[to + j] = x[from + j];
        else out.set(x.subarray(from, from + sliceSize), to);
      }
    }
  }
}
