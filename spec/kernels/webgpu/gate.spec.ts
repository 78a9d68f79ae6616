import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { gated } from '../../../src/ops/gated';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth, withGradients } from './on_both';

describe('gated', () => {
  onWebGpu(() => {
    it('and its gradient equal the composed ones on every size of row and rank', async () => {
      for (const I of [0, 1, 2, 3, 31, 67]) {
        for (const outer of [[], [3], [2, 3], [2, 3, 5, 2], [0]])
          await expectSameOnBoth(() => withGradients((x) => gated(x, 'silu'), [floats([...outer, 2 * I], 1)]), 1e-5);
      }
    });

    it('saturates as the composed one does', async () => {
      const gates = [-200, -90, -20, 0, 20, 90, 200];
      await expectSameOnBoth(
        () => withGradients((x) => gated(x, 'silu'), [tf.tensor1d([...gates, ...gates.map(() => 1)])]),
        1e-6,
      );
    });

    it('refuses a last size that has no halves', () => {
      expect(() => tf.tidy(() => gated(floats([2, 5], 1), 'silu'))).to.throw(
        'gated: the last size must be even, got [2, 5]',
      );
    });
  });
});
