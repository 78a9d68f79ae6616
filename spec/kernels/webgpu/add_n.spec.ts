import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { onWebGpu } from '../../support/backends';

describe('addN on WebGPU', () => {
  onWebGpu(() => {
    it('adds more tensors than a shader can bind, and leaves none behind', async () => {
      for (const count of [1, 2, 7, 8, 13, 14, 31]) {
        const before = tf.backend().numDataIds();
        const sum = tf.tidy(() => tf.addN(Array.from({ length: count }, (_, i) => tf.tensor2d([[i, 1, 0.5]]))));
        expect([...(await sum.data())], `${count} tensors`).to.deep.equal([
          (count * (count - 1)) / 2,
          count,
          count / 2,
        ]);
        sum.dispose();
        expect(tf.backend().numDataIds()).to.equal(before); // sums of the kernel's own, too
      }
    });
  });
});
