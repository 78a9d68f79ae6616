import * as tf from '@tensorflow/tfjs-core';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth, renamed } from './on_both';

describe('Softmax', () => {
  onWebGpu(() => {
    it("equals cpu's on every size of row", async () => {
      for (const shape of [[1], [5], [3, 64], [2, 3, 67], [2, 523], [0, 3], [2, 0]])
        await expectSameOnBoth(() => [tf.softmax(floats(shape, 1))], 1e-6);
    });

    it('takes more rows than a grid is wide, which tfjs itself gets wrong', async () => {
      await expectSameOnBoth(() => [tf.softmax(floats([65_537, 2], 1))], 1e-6);
    });

    it('is exact for scores far apart and far from zero', async () => {
      await expectSameOnBoth(
        () => [
          tf.softmax(
            tf.tensor2d([
              [-1e9, 0, 1],
              [-1e9, -1e9, -1e9],
              [1e4, 1e4, -1e4],
            ]),
          ),
        ],
        1e-6,
      );
    });

    it('reads integers that a cast has renamed', async () => {
      await expectSameOnBoth(() => [tf.softmax(renamed([3, 5], 7, 1))], 1e-6);
    });
  });
});
