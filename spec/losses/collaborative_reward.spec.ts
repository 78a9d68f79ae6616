import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { collaborativeReward, crossEntropy } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, mean, rewardOf, toRows } from '../support/reference';

const [P, V] = [5, 7];

describe('collaborativeReward', () => {
  forEachBackend(() => {
    const labels = integers(P, V, 3);
    const negatives = normals(P * V, 4).map((value, i) => (value > 0 && i % V !== labels[Math.floor(i / V)] ? 1 : 0));
    const reward = normals(P * V, 5).map((value) => Math.max(0, value));
    reward.fill(0, 2 * V, 3 * V); // a row without mass
    const reference = (logits: ArrayLike<number>): number =>
      mean(
        toRows(logits, V).map((row, p) =>
          rewardOf(row, labels[p], toRows(negatives, V)[p].map(Boolean), toRows(reward, V)[p]),
        ),
      );
    const measure = (logits: Float32Array): { value: number; gradient: Float32Array } =>
      tf.tidy(() => {
        const { value, grad } = tf.valueAndGrad((z: tf.Tensor) =>
          collaborativeReward(
            z as tf.Tensor2D,
            tf.tensor1d(labels, 'int32'),
            tf.tensor2d(negatives, [P, V]),
            tf.tensor2d(reward, [P, V]),
          ),
        )(tf.tensor2d(logits, [P, V]));
        return { value: value.dataSync()[0], gradient: grad.dataSync<'float32'>() };
      }) as unknown as { value: number; gradient: Float32Array };

    it('shares the target among the label and the negatives in proportion to the collaborative mass', () => {
      // Row 1: the label 0 has mass 0.1, the negative 2 has 0.3, the rest is off N_t: r = (1/4, 0, 3/4, 0).
      // Row 2: the label 1 has mass 0.4, the negatives 0 and 3 have 0.2 each: r = (1/4, 1/2, 0, 1/4).
      const logits = [0.5, -1, 2, 0];
      const lse = Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0));
      const loss = tf.tidy(
        () =>
          collaborativeReward(
            tf.tensor2d([logits, logits]),
            tf.tensor1d([0, 1], 'int32'),
            tf.tensor2d([0, 0, 1, 0, 1, 0, 0, 1], [2, 4]),
            tf.tensor2d([0.1, 0.4, 0.3, 0.2, 0.2, 0.4, 0.2, 0.2], [2, 4]),
          ).dataSync()[0],
      );
      const [first, second] = [lse - (0.25 * 0.5 + 0.75 * 2), lse - (0.25 * 0.5 - 0.5 * 1 + 0.25 * 0)];
      expect(loss).to.be.closeTo((first + second) / 2, 1e-6);
    });

    it('is cross-entropy where nothing is a negative, and where the reward has no mass', () => {
      const [plain, unshared, massless] = tf.tidy(() => {
        const [z, y] = [tf.tensor2d(normals(P * V, 6), [P, V]), tf.tensor1d(labels, 'int32')];
        const [none, all] = [tf.zeros([P, V]), tf.ones([P, V])] as tf.Tensor2D[];
        const losses = [crossEntropy(z, y), collaborativeReward(z, y, none, all), collaborativeReward(z, y, all, none)];
        return losses.map((loss) => loss.dataSync()[0]);
      });
      expect(unshared).to.be.closeTo(plain, 1e-6);
      expect(massless).to.be.closeTo(plain, 1e-6);
    });

    it('equals the float64 reference, with the gradient of central differences', () => {
      const logits = normals(P * V, 7, 2);
      const { value, gradient } = measure(logits);
      expect(value).to.be.closeTo(reference(logits), 1e-5);
      expect(maxDifference(gradient, centralDifferences(reference, logits))).to.be.below(1e-6);
    });

    it('does not change when the reward is multiplied by a number', () => {
      const logits = normals(P * V, 8);
      const scaled = tf.tidy(
        () =>
          collaborativeReward(
            tf.tensor2d(logits, [P, V]),
            tf.tensor1d(labels, 'int32'),
            tf.tensor2d(negatives, [P, V]),
            tf.mul(tf.tensor2d(reward, [P, V]), 8),
          ).dataSync()[0],
      );
      expect(scaled).to.be.closeTo(measure(logits).value, 1e-6);
    });

    it('stays finite on logits of thousands', () => {
      const { value, gradient } = measure(normals(P * V, 9, 3000));
      expect([value, ...gradient].every(Number.isFinite)).to.equal(true);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure(normals(P * V, 10));
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
