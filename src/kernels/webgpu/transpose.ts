import { input, type KernelReplacement } from '../kernel';
import type { WebGpuBackend } from './webgpu_backend';

/**
 * Shares memory if no number moves; the gradient of gather makes two such transpositions. tfjs's kernel copies, and
 * returns zeros for a tensor that is larger than a shader can bind.
 */
export const webgpuTranspose: KernelReplacement = {
  kernelName: 'Transpose',
  create: (stock) => {
    if (stock === undefined) return undefined;
    return (call) => {
      const x = input(call.inputs, 'x');
      const perm = call.attrs?.perm as number[];
      const moved = perm.filter((axis) => x.shape[axis] !== 1);
      if (x.dtype === 'complex64' || moved.some((axis, i) => i > 0 && axis < moved[i - 1])) return stock(call);
      (call.backend as WebGpuBackend).incRef(x.dataId);
      return { dataId: x.dataId, shape: perm.map((axis) => x.shape[axis]), dtype: x.dtype };
    };
  },
};
