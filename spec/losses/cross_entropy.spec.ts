import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, crossEntropyOf, maxDifference, mean, toRows } from '../support/reference';

describe('crossEntropy', () => {
  forEachBackend(() => {
    it('is ln V on equal logits', () => {
      expect(tf.tidy(() => crossEntropy(tf.zeros([2, 5]), tf.tensor1d([0, 3], 'int32')).dataSync()[0])).to.be.closeTo(
        Math.log(5),
        1e-6,
      );
    });

    it('has the gradient of central differences', () => {
      const logits = normals(3 * 7, 5, 2);
      const labels = [6, 0, 3];
      const value = (x: ArrayLike<number>): number =>
        mean(toRows(x, 7).map((row, r) => crossEntropyOf(row, labels[r])));
      tf.tidy(() => {
        const gradient = tf.grad((z: tf.Tensor) => crossEntropy(z as tf.Tensor2D, tf.tensor1d(labels, 'int32')))(
          tf.tensor2d(logits, [3, 7]),
        );
        expect(maxDifference(gradient.dataSync(), centralDifferences(value, logits))).to.be.below(1e-6);
      });
    });
  });
});
