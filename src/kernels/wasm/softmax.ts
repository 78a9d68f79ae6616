import { addressOf, simdOf } from './simd_module';
import { input, sizeOf, type KernelReplacement, type WasmBackend } from './wasm_backend';

/** Softmax of rows of float32 in SIMD. */
export const wasmSoftmax: KernelReplacement = {
  kernelName: 'Softmax',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const wasm = call.backend as WasmBackend;
          const logits = input(call.inputs, 'logits');
          const simd = simdOf(wasm);
          if (simd === null || logits.dtype !== 'float32' || sizeOf(logits.shape) === 0) return stock(call);
          const out = wasm.makeOutput(logits.shape, 'float32');
          const n = logits.shape[logits.shape.length - 1];
          simd.kernels.softmax(sizeOf(logits.shape) / n, n, addressOf(wasm, logits), addressOf(wasm, out));
          return out;
        },
};
