import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { webgpuFused, webgpuReplacements } from '../../../src/kernels/webgpu/kernels';
import { registerKernels, unregisterKernels } from '../../../src/kernels/register_kernels';
import { rmsNorm } from '../../../src/ops/rms_norm';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';

describe('kernels', () => {
  onWebGpu(() => {
    const registered = (kernels: readonly { kernelName: string }[]): (tf.KernelFunc | undefined)[] =>
      kernels.map(({ kernelName }) => (tf.getKernel(kernelName, 'webgpu') as tf.KernelConfig | undefined)?.kernelFunc);

    it('are there, and give way to the composites and to those of tfjs where they are switched off', async () => {
      const compute = async (): Promise<Float32Array> => {
        const y = tf.tidy(() => rmsNorm(floats([3, 5], 1), floats([5], 2) as tf.Tensor1D));
        const values = await y.data<'float32'>();
        y.dispose();
        return values;
      };
      const [ours, value] = [registered(webgpuReplacements), await compute()];
      expect(registered(webgpuFused)).not.to.include(undefined);
      unregisterKernels();
      try {
        expect(registered(webgpuFused).every((kernel) => kernel === undefined)).to.equal(true);
        registered(webgpuReplacements).forEach((kernel, i) => expect(kernel).not.to.be.oneOf([undefined, ours[i]]));
        (await compute()).forEach((number, i) => expect(number).to.be.closeTo(value[i], 1e-6));
      } finally {
        registerKernels();
      }
      expect(registered(webgpuFused)).not.to.include(undefined);
    });
  });
});
