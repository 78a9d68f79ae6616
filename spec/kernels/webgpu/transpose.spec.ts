import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth } from './on_both';

describe('Transpose', () => {
  onWebGpu(() => {
    it("agrees with cpu's, whether numbers move or not", async () => {
      await expectSameOnBoth(() => {
        const x = floats([3, 1, 5, 7], 1);
        return [
          [0, 1, 2, 3],
          [1, 0, 2, 3],
          [0, 2, 3, 1],
          [0, 1, 3, 2],
          [3, 1, 2, 0],
        ].map((perm) => tf.transpose(x, perm));
      });
      await expectSameOnBoth(() => [
        tf.transpose(floats([0, 3], 1), [0, 1]),
        tf.transpose(floats([5], 1), [0]),
        tf.transpose(floats([2, 3], 1)),
      ]);
    });

    it('copies nothing where none move, and the result outlives what it was made of', async () => {
      const x = floats([3, 5], 1);
      const wanted = [...(await x.data())];
      const same = tf.transpose(x, [0, 1]);
      expect(same.dataId).to.equal(x.dataId);
      x.dispose();
      expect([...(await same.data())]).to.deep.equal(wanted);
      same.dispose();
    });
  });
});
