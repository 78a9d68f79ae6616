import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { tensorflowFused } from '../../../src/kernels/tensorflow/kernels';
import { gated } from '../../../src/ops/gated';
import { OnlineSoftmax } from '../../../src/vocabulary/online_softmax';
import { rmsNorm } from '../../../src/ops/rms_norm';
import { applyRotary } from '../../../src/ops/rotary';
import { onTensorFlow } from '../../support/backends';
import { expectSameAsCpu, floats } from '../against_cpu';
import { withoutOwnKernels } from '../without_own_kernels';

const SIZES = [1, 2, 3, 4, 5, 8, 31];

/** Tensors as one, to be compared at once. */
const joined = (tensors: readonly tf.Tensor[]): tf.Tensor => tf.concat(tensors.map((x) => tf.reshape(x, [-1])));

/** A value and its gradients, on TensorFlow with the kernels and on cpu composed. */
async function expectSame(
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: () => tf.Tensor[],
  tolerance: number,
): Promise<void> {
  await expectSameAsCpu(
    () => {
      const given = inputs();
      const y = f(...given);
      return joined([y, ...tf.grads(f)(given, floats(y.shape, 9))]);
    },
    tolerance,
    'tensorflow',
  );
}

describe('row kernels of TensorFlow’s ops', () => {
  onTensorFlow(() => {
    it('are registered, and come and go with the switch', () => {
      const isThere = ({ kernelName }: { kernelName: string }): boolean =>
        tf.getKernel(kernelName, 'tensorflow') !== undefined;
      expect(tensorflowFused.every(isThere)).to.equal(true);
      expect(withoutOwnKernels(() => tensorflowFused.some(isThere))).to.equal(false);
      expect(tensorflowFused.every(isThere)).to.equal(true);
    });

    it('rmsNorm and its gradients equal those of cpu on every size of row', async () => {
      for (const D of SIZES) {
        for (const outer of [[1], [3], [2, 3], [0]])
          await expectSame(
            (x, w) => rmsNorm(x, w as tf.Tensor1D, 0.01),
            () => [floats([...outer, D], 1), floats([D], 2)],
            1e-5,
          );
      }
    });

    it('gated and its gradient equal those of cpu on every size of row, saturated ones too', async () => {
      for (const I of [...SIZES, 0]) {
        for (const outer of [[], [3], [2, 3], [0]])
          await expectSame(
            (x) => gated(x, 'silu'),
            () => [floats([...outer, 2 * I], 1)],
            5e-6,
          );
      }
      const gates = [-200, -90, -20, 0, 20, 90, 200];
      await expectSame(
        (x) => gated(x, 'silu'),
        () => [tf.tensor1d([...gates, ...gates.map(() => 1)])],
        1e-6,
      );
    });

    it('applyRotary and its gradient equal those of cpu for every way tables are shared', async () => {
      for (const half of SIZES) {
        const F = 2 * half;
        const pairs: [number[], number[]][] = [
          [
            [3, F],
            [3, F],
          ],
          [
            [2, 5, 3, F],
            [3, F],
          ],
          [
            [2, 5, 3, F],
            [1, 1, 3, F],
          ],
          [
            [2, 5, 3, F],
            [2, 1, 3, F],
          ],
          [
            [5, 3, F],
            [1, F],
          ],
          [
            [0, 3, F],
            [3, F],
          ],
          [[F], [F]],
        ];
        for (const [shape, tables] of pairs)
          await expectSame(
            (x) => applyRotary(x, floats(tables, 2), floats(tables, 3)),
            () => [floats(shape, 1)],
            1e-6,
          );
      }
    });

    it('OnlineSoftmax over parts equals that of cpu', async () => {
      await expectSameAsCpu(
        () => {
          const softmax = new OnlineSoftmax(3);
          const found = [1, 3, 4, 31].flatMap((n) => Object.values(softmax.add(tf.mul(floats([3, n], n), 10))));
          const sums = tf.clone(softmax.sums);
          softmax.dispose();
          return joined([...found, sums]);
        },
        1e-5,
        'tensorflow',
      );
    });

    it('refuse a last size that has no halves, and leave nothing behind', async () => {
      await tf.setBackend('tensorflow');
      const before = { tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() };
      expect(() => tf.tidy(() => gated(floats([2, 5], 1), 'silu'))).to.throw(
        'gated: the last size must be even, got [2, 5]',
      );
      expect(() => tf.tidy(() => applyRotary(floats([2, 5], 1), floats([2, 5], 2), floats([2, 5], 3)))).to.throw(
        'applyRotary: the last size must be even, got [2, 5]',
      );
      expect({ tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() }).to.deep.equal(before);
    });

    it('free everything that TensorFlow made for them', async () => {
      await tf.setBackend('tensorflow');
      const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors: () => number } };
      const before = binding.getNumOfTensors();
      tf.tidy(
        () =>
          void tf.grads((x, w) =>
            rmsNorm(gated(applyRotary(x, floats([3, 8], 2), floats([3, 8], 3)), 'silu'), w as tf.Tensor1D),
          )([floats([3, 8], 1), floats([4], 4)]),
      );
      expect(binding.getNumOfTensors()).to.equal(before);
    });
  });
});
