import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { onWebGpu } from '../../support/backends';
import { floats, ints } from '../against_cpu';
import { expectSameOnBoth } from './on_both';
import { withLimits } from './with_limits';

const sum = (x: tf.Tensor, ids: tf.Tensor, segments: number): tf.Tensor =>
  tf.unsortedSegmentSum(x, ids as tf.Tensor1D, segments);

describe('UnsortedSegmentSum', () => {
  onWebGpu(() => {
    it('adds rows that share a segment, for rows of every size and rank', async () => {
      for (const rest of [[], [1], [3], [64], [131], [3, 5], [2, 3, 5, 2]]) {
        await expectSameOnBoth(() => [sum(floats([97, ...rest], 1), ints([97], 13, 2), 17)], 1e-6);
      }
    });

    it('leaves out rows without a segment', async () => {
      await expectSameOnBoth(() => [sum(floats([5, 3], 1), tf.tensor1d([-1, 1, 2, 1, 2 ** 31 - 1], 'int32'), 2)], 1e-6);
    });

    it('keeps integers and takes empty input', async () => {
      await expectSameOnBoth(() => [sum(ints([11, 3], 1000, 1), ints([11], 5, 2), 5)]);
      await expectSameOnBoth(() => [
        sum(floats([0, 3], 1), tf.tensor1d([], 'int32'), 2),
        sum(floats([2, 0], 1), ints([2], 2, 1), 3),
        sum(floats([2, 3], 1), ints([2], 2, 1), 0),
      ]);
    });

    it('is the gradient of gather, with several dimensions of indices', async () => {
      await expectSameOnBoth(
        () => [tf.grad((x) => tf.square(tf.gather(x, ints([2, 11], 7, 2))))(floats([7, 5], 1))],
        1e-5,
      );
    });

    it('gives the same bits each time, and adds in the order of the rows', async () => {
      const compute = async (): Promise<number[]> => {
        const y = tf.tidy(() => sum(floats([1021, 3], 1), ints([1021], 2, 2), 2));
        const values = [...(await y.data())];
        y.dispose();
        return values;
      };
      const [x, ids] = tf.tidy(() => [floats([1021, 3], 1), ints([1021], 2, 2)]);
      const [rows, segments] = [await x.data(), await ids.data()];
      const wanted = new Float32Array(6);
      segments.forEach((segment, row) => [0, 1, 2].forEach((i) => (wanted[3 * segment + i] += rows[3 * row + i])));
      expect(await compute()).to.deep.equal([...wanted]);
      tf.dispose([x, ids]);
    });

    it('writes a sum that is larger than a shader can bind', async () => {
      await withLimits({ maxStorageBufferBindingSize: 64 * 1024 }, () =>
        expectSameOnBoth(() => [sum(floats([97, 37], 1), ints([97], 1511, 2), 1511)], 1e-6),
      );
    });

    it('takes more rows than a grid is wide', async () => {
      const ids = (): tf.Tensor =>
        tf.tidy(() => tf.concat([ints([7], 3, 1), tf.fill([65_537], -1, 'int32'), ints([5], 3, 2)]));
      await expectSameOnBoth(() => [sum(floats([65_549], 1), ids(), 3)], 1e-5);
    });
  });
});
