import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';
import { centralDifferences, crossEntropyOf, maxDifference, mean, toRows } from '../support/reference';

const [P, V] = [5, 7];

describe('crossEntropy', () => {
  forEachBackend(() => {
    const labels = integers(P, V, 3);
    const reference = (logits: ArrayLike<number>): number =>
      mean(toRows(logits, V).map((row, p) => crossEntropyOf(row, labels[p])));
    const measure = (logits: Float32Array): { value: number; gradient: Float32Array } =>
      tf.tidy(() => {
        const { value, grad } = tf.valueAndGrad((z: tf.Tensor) =>
          crossEntropy(z as tf.Tensor2D, tf.tensor1d(labels, 'int32')),
        )(tf.tensor2d(logits, [P, V]));
        return { value: value.dataSync()[0], gradient: grad.dataSync<'float32'>() };
      }) as unknown as { value: number; gradient: Float32Array };

    it('is the mean of -log p(y) over the rows', () => {
      // Row 1: p = (1/2, 1/4, 1/4), label 1: ln 4. Row 2: p = (1/8, 1/8, 3/4), label 0: ln 8. Mean: 2.5 ln 2.
      const loss = tf.tidy(() => {
        const logits = tf.log(tf.tensor2d([0.5, 0.25, 0.25, 0.125, 0.125, 0.75], [2, 3])) as tf.Tensor2D;
        return crossEntropy(logits, tf.tensor1d([1, 0], 'int32')).dataSync()[0];
      });
      expect(loss).to.be.closeTo(2.5 * Math.log(2), 1e-6);
    });

    it('is ln V on equal logits', () => {
      expect(measure(new Float32Array(P * V).fill(2)).value).to.be.closeTo(Math.log(V), 1e-6);
    });

    it('equals the float64 reference, with the gradient of central differences', () => {
      const logits = normals(P * V, 5, 2);
      const { value, gradient } = measure(logits);
      expect(value).to.be.closeTo(reference(logits), 1e-5);
      expect(maxDifference(gradient, centralDifferences(reference, logits))).to.be.below(1e-6);
    });

    it('is right for logits of thousands', () => {
      const logits = normals(P * V, 7, 3000);
      const { value, gradient } = measure(logits);
      expect(value).to.be.closeTo(reference(logits), 1e-6 * reference(logits));
      expect(gradient.every(Number.isFinite)).to.equal(true);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure(normals(P * V, 9));
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
