import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { forEachBackend } from '../support/backends';
import { expectSameAsCpu, floats } from './against_cpu';

describe('Cumsum', () => {
  forEachBackend(() => {
    it('counts a negative axis from the end', () => {
      const x = tf.tensor2d([
        [1, 2, 3],
        [10, 20, 30],
      ]);
      expect(tf.cumsum(x, -1).arraySync()).to.deep.equal([
        [1, 3, 6],
        [10, 30, 60],
      ]);
      expect(tf.cumsum(x, -2, true).arraySync()).to.deep.equal([
        [0, 0, 0],
        [1, 2, 3],
      ]);
    });
  });

  it('agrees between the backends on every axis, with every option', async () => {
    for (const axis of [-3, -2, -1, 0, 1, 2]) {
      for (const [exclusive, reverse] of [
        [false, false],
        [true, false],
        [false, true],
        [true, true],
      ]) {
        await expectSameAsCpu(() => tf.cumsum(floats([3, 5, 7], 1), axis, exclusive, reverse), 1e-6);
      }
    }
  });
});
