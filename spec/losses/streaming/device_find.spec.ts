import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type { WebGpuBackend } from '../../../src/kernels/webgpu/webgpu_backend';
import { lowerBindingLimit } from '../../../src/kernels/webgpu/binding_limit';
import { registerKernels, unregisterKernels } from '../../../src/kernels/register_kernels';
import type { IlrecObjectiveOptions } from '../../../src/losses';
import { onWebGpu } from '../../support/backends';
import { expectDense, measure, streamingCase } from '../../support/streaming_case';

const base: IlrecObjectiveOptions = {
  penaltyWeight: 0.7,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.3,
  rewardWeight: 0.5,
};
const ALL = { ...base, thresholdScale: 1e-12 }; // every token but the label is a negative

/** Runs a case as on a device whose bindings hold so many bytes. */
async function withLimit(bytes: number, run: () => Promise<void>): Promise<void> {
  lowerBindingLimit(bytes);
  try {
    await run();
  } finally {
    lowerBindingLimit(Infinity);
  }
}

describe('findOnDevice', () => {
  onWebGpu(() => {
    it('is exact where one row, some or all of them have more negatives than the buffer holds', async () => {
      const c = streamingCase(3, 1511, { P: 3 });
      for (const thresholdScale of [1e-12, 0.05, 0.5, 2]) await expectDense(c, { ...base, thresholdScale });
      for (const penalty of ['paper', 'additive'] as const) await expectDense(c, { ...ALL, penalty, penaltyWeight: 5 });
    });

    it('takes one response row, and a vocabulary that no tile divides', async () => {
      for (const layout of ['rows', 'columns'] as const)
        await expectDense(streamingCase(5, 131, { P: 1, layers: 2 }), base, layout);
      await expectDense(streamingCase(7, 131, { P: 1, layers: 1 }), ALL);
    });

    it('reads a head whose matrix no binding holds, in rows and in columns', async () => {
      const c = streamingCase(11, 331, { P: 3, D: 67, scale: 0.2 });
      await withLimit(4 * 64 * 67, async () => {
        // one tile of 64 tokens
        for (const options of [base, ALL]) await expectDense(c, options);
        await expectDense(c, { ...base, penaltyWeight: 0, distillationTokens: [3, 300, 17, 300] });
      });
      await withLimit(4 * 64 * 331, async () => {
        // the first 64 of 67 rows
        for (const options of [base, ALL, { ...base, distillationTokens: [330, 5] }])
          await expectDense(c, options, 'columns');
      });
    });

    it('keeps the negatives of many tiles in their buffer, and makes room in it as the cutoff rises', async () => {
      const c = streamingCase(13, 1511, { P: 2, D: 67, scale: 0.3, layers: 1 });
      await withLimit(4 * 64 * 67, async () => {
        for (const thresholdScale of [0.4, 2])
          await expectDense(c, { ...base, thresholdScale, thresholdReference: 'ensemble' });
      });
    });

    it('gives the same numbers twice', async () => {
      for (const options of [base, ALL]) {
        const c = streamingCase(17, 6007);
        const [one, other] = [await measure(c, options, 'streaming'), await measure(c, options, 'streaming')];
        expect(one).to.deep.equal(other);
      }
    });

    it('leaves no tensor and no buffer behind', async () => {
      const used = (): number => (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU;
      const c = streamingCase(19, 1511);
      await measure(c, base, 'streaming'); // constants of the backend stay
      const before = [tf.memory().numTensors, used()];
      for (const options of [base, ALL]) await measure(c, options, 'streaming');
      expect([tf.memory().numTensors, used()]).to.deep.equal(before);
    });

    it('refuses to work without its kernels, as values would have to be read back', async () => {
      unregisterKernels();
      try {
        const message = await measure(streamingCase(29), base, 'streaming').then(
          () => '',
          (error: Error) => error.message,
        );
        expect(message).to.equal(
          'streamingObjective: on WebGPU it needs the kernels of this package, got none; call registerKernels() or use ilrecObjective',
        );
      } finally {
        registerKernels();
      }
    });

    it('refuses a head in columns of which not even the fewest rows fit a binding', async () => {
      let message = '';
      await withLimit(4 * 1511, () =>
        measure(streamingCase(23, 1511, { P: 1, layers: 1 }), base, 'streaming', 'columns').then(
          () => undefined,
          (error: Error) => {
            message = error.message;
          },
        ),
      );
      const { minStorageBufferOffsetAlignment } = (tf.backend() as unknown as WebGpuBackend).device.limits;
      const rows = minStorageBufferOffsetAlignment / 4; // 1,511 is odd
      expect(message).to.equal(
        `webgpu: on this adapter ${rows} rows of a head of 1511 columns must fit 6044 bytes, got ${6044 * rows}; use a head with a row for each token`,
      );
    });
  });
});
