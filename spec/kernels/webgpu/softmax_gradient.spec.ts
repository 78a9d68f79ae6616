import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth } from './on_both';
import { withLimits } from './with_limits';

describe('the gradient of softmax', () => {
  onWebGpu(() => {
    it("equals tfjs's on every size of row", async () => {
      expect(tf.getKernel('ILRecSoftmaxGrad', 'webgpu')).not.to.equal(undefined);
      for (const shape of [[1], [5], [3, 64], [2, 3, 67], [2, 523], [0, 3]]) {
        await expectSameOnBoth(() => [tf.grad((x) => tf.softmax(x))(floats(shape, 1), floats(shape, 2))], 1e-5);
      }
    });

    it('takes more rows than a grid is wide', async () => {
      await withLimits({ maxComputeWorkgroupsPerDimension: 7 }, () =>
        expectSameOnBoth(() => [tf.grad((x) => tf.softmax(x))(floats([37, 3], 1), floats([37, 3], 2))], 1e-5),
      );
    });
  });
});
