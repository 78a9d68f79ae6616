import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossLayerPreference } from '../../src/losses';
import { forEachBackend } from '../support/backends';

describe('crossLayerPreference', () => {
  forEachBackend(() => {
    const loss = (logits: number[], penalty: 'scale' | 'paper' | 'additive', weights = [0, 1, 0]): number =>
      tf.tidy(
        () =>
          crossLayerPreference(tf.tensor2d([logits]), tf.tensor1d([0], 'int32'), tf.tensor2d([weights]), {
            penaltyWeight: 0.5,
            penalty,
          }).dataSync()[0],
      );
    const lse = (...z: number[]): number => Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0));

    it('raises a negative logit by alpha w |z|, alpha w z or alpha w', () => {
      // z = (1, 2, -1), negative token 1 with w = 1, alpha = 0.5: z' of token 1 is 3, 3 and 2.5.
      expect(loss([1, 2, -1], 'scale')).to.be.closeTo(lse(1, 3, -1) - 1, 1e-6);
      expect(loss([1, 2, -1], 'paper')).to.be.closeTo(lse(1, 3, -1) - 1, 1e-6);
      expect(loss([1, 2, -1], 'additive')).to.be.closeTo(lse(1, 2.5, -1) - 1, 1e-6);
      // z = (1, -2, -1): -1 with scale, -3 as printed in the paper, -1.5 additive.
      expect(loss([1, -2, -1], 'scale')).to.be.closeTo(lse(1, -1, -1) - 1, 1e-6);
      expect(loss([1, -2, -1], 'paper')).to.be.closeTo(lse(1, -3, -1) - 1, 1e-6);
      expect(loss([1, -2, -1], 'additive')).to.be.closeTo(lse(1, -1.5, -1) - 1, 1e-6);
    });

    it('penalises only tokens that the intermediate layers rank above the target', () => {
      expect(loss([1, 2, -1], 'scale', [0, 0, 0])).to.be.closeTo(lse(1, 2, -1) - 1, 1e-6);
    });

    it('refuses a negative penalty weight', () => {
      const labels = tf.tensor1d([0], 'int32');
      expect(() => crossLayerPreference(tf.zeros([1, 3]), labels, tf.zeros([1, 3]), { penaltyWeight: -1 })).to.throw(
        'crossLayerPreference: penaltyWeight must be at least 0, got -1',
      );
      labels.dispose();
    });
  });
});
