import { input, type KernelReplacement } from '../wasm/wasm_backend';
import { clear, countOf, makeOutput } from './shader';
import type { WebGpuBackend } from './webgpu_backend';

/** Zeros of a size that a shader cannot bind, such as an optimizer's moments of a large embedding; tfjs's would be whatever was in the memory. */
export const webgpuZerosLike: KernelReplacement = {
  kernelName: 'ZerosLike',
  create: (stock) => {
    if (stock === undefined) return undefined;
    return (call) => {
      const backend = call.backend as WebGpuBackend;
      const x = input(call.inputs, 'x');
      const fits = 4 * countOf(x) <= backend.device.limits.maxStorageBufferBindingSize;
      if (fits || (x.dtype !== 'float32' && x.dtype !== 'int32')) return stock(call);
      const zeros = makeOutput(backend, x.shape, x.dtype);
      clear(backend, zeros);
      return zeros;
    };
  },
};
