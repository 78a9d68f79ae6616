import type { KernelReplacement, WasmBackend } from './wasm_backend';
import { input } from './wasm_backend';

/** Replaces tfjs's identity, which copies: `tf.clone` and every value kept for a gradient share their memory, as on the other backends. */
export const wasmIdentity: KernelReplacement = {
  kernelName: 'Identity',
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const { dataId, shape, dtype } = input(call.inputs, 'x');
          if (dtype === 'string' || dtype === 'complex64') return stock(call);
          (call.backend as WasmBackend).incRef(dataId);
          return { dataId, shape, dtype };
        },
};
