import { sizeOf } from '../kernel';
import { simdReplacement } from './simd_replacement';

/** Softmax of rows of float32 in SIMD. */
export const wasmSoftmax = simdReplacement('Softmax', ({ wasm, kernels, input, address }) => {
  const logits = input('logits');
  if (logits.dtype !== 'float32' || sizeOf(logits.shape) === 0) return null;
  const out = wasm.makeOutput(logits.shape, 'float32');
  const n = logits.shape[logits.shape.length - 1];
  kernels.softmax(sizeOf(logits.shape) / n, n, address(logits), address(out));
  return out;
});
