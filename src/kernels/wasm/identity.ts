import { input, type KernelReplacement } from '../kernel';
import { sharing, type WasmBackend } from './wasm_backend';

/**
 * Shares memory, as on the other backends: `tf.clone` and every value kept for a gradient use it. tfjs's kernel copies.
 */
export const wasmIdentity: KernelReplacement = {
  kernelName: 'Identity',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const x = input(call.inputs, 'x');
          return x.dtype === 'string' || x.dtype === 'complex64'
            ? stock(call)
            : sharing(call.backend as WasmBackend, x);
        },
};
