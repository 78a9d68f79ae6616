import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { collaborativeReward, crossEntropy } from '../../src/losses';
import { forEachBackend } from '../support/backends';

describe('collaborativeReward', () => {
  forEachBackend(() => {
    const logits = [0.5, -1, 2, 0];
    const loss = (negatives: number[], reward: number[]): number =>
      tf.tidy(
        () =>
          collaborativeReward(
            tf.tensor2d([logits]),
            tf.tensor1d([0], 'int32'),
            tf.tensor2d([negatives]),
            tf.tensor2d([reward]),
          ).dataSync()[0],
      );
    const lse = Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0));

    it('shares the target among the label and the negatives in proportion to the collaborative mass', () => {
      // label 0 has mass 0.1, negative 2 has 0.3; the rest of the mass is off N_t: r = (1/4, 0, 3/4, 0).
      expect(loss([0, 0, 1, 0], [0.1, 0.4, 0.3, 0.2])).to.be.closeTo(lse - (0.25 * 0.5 + 0.75 * 2), 1e-6);
    });

    it('is cross-entropy where nothing is a negative, and where the reward has no mass', () => {
      const plain = tf.tidy(() => crossEntropy(tf.tensor2d([logits]), tf.tensor1d([0], 'int32')).dataSync()[0]);
      expect(loss([0, 0, 0, 0], [0.1, 0.4, 0.3, 0.2])).to.be.closeTo(plain, 1e-6);
      expect(loss([0, 1, 1, 1], [0, 0, 0, 0])).to.be.closeTo(plain, 1e-6);
    });
  });
});
