import * as tf from '@tensorflow/tfjs-core';
import { rmsNorm } from '../../../src/ops/rms_norm';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth, renamed, withGradients } from './on_both';
import { withLimits } from './with_limits';

const norm = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => rmsNorm(x, w as tf.Tensor1D, 0.01);

describe('rmsNorm', () => {
  onWebGpu(() => {
    it('and its gradients equal the composed ones on every size of row, for few and many lanes', async () => {
      for (const D of [1, 2, 3, 4, 5, 63, 64, 65, 511, 523]) {
        for (const outer of [[1], [2, 3]])
          await expectSameOnBoth(() => withGradients(norm, [floats([...outer, D], 1), floats([D], 2)]), 1e-5);
      }
    });

    it('sums the gradient of the weight over many bands of rows', async () => {
      for (const rows of [31, 32, 33, 8219])
        await expectSameOnBoth(() => withGradients(norm, [floats([rows, 7], 1), floats([7], 2)]), 5e-5);
    });

    it('takes more rows than a grid is wide', async () => {
      await withLimits({ maxComputeWorkgroupsPerDimension: 7 }, () =>
        expectSameOnBoth(() => withGradients(norm, [floats([37, 3], 1), floats([3], 2)]), 1e-5),
      );
    });

    it('of no rows is empty and gives the weight no gradient', async () => {
      await expectSameOnBoth(() => withGradients(norm, [floats([0, 5], 1), floats([5], 2)]));
    });

    it('reads integers that a cast has renamed as the numbers they are', async () => {
      await expectSameOnBoth(() => [norm(renamed([3, 5], 11, 1), renamed([5], 7, 2))], 1e-6);
    });
  });
});
