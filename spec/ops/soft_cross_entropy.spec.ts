import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { softCrossEntropy } from '../../src/ops/soft_cross_entropy';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, logSumExp, maxDifference, toRows } from '../support/reference';

const [R, V] = [5, 7];

describe('softCrossEntropy', () => {
  forEachBackend(() => {
    const targets = normals(R * V, 1).map((value) => Math.max(0, value)); // rows of any sum
    targets.fill(0, V, 2 * V); // one of them without mass
    const factors = [1, -2, 0.5, 3, 0];
    const rowsOf = (logits: ArrayLike<number>): number[] =>
      toRows(logits, V).map((row, r) => row.reduce((sum, z, v) => sum + targets[r * V + v] * (logSumExp(row) - z), 0));
    const measure = (logits: Float32Array): { values: number[]; gradient: Float32Array } =>
      tf.tidy(() => {
        let values: number[] = [];
        const f = (z: tf.Tensor): tf.Tensor => {
          const rows = softCrossEntropy(z as tf.Tensor2D, tf.tensor2d(targets, [R, V]));
          values = [...rows.dataSync()];
          return tf.sum(tf.mul(rows, factors));
        };
        const gradient = tf
          .grad(f)(tf.tensor2d(logits, [R, V]))
          .dataSync<'float32'>();
        return { values, gradient };
      }) as unknown as { values: number[]; gradient: Float32Array };

    it('weighs -log p of each token with its target', () => {
      // p = (1/2, 1/4, 1/4), targets (1/2, 1/2, 0): (ln 2 + ln 4) / 2 = 1.5 ln 2.
      const [value] = tf.tidy(() =>
        softCrossEntropy(
          tf.log(tf.tensor2d([[0.5, 0.25, 0.25]])) as tf.Tensor2D,
          tf.tensor2d([[0.5, 0.5, 0]]),
        ).dataSync(),
      );
      expect(value).to.be.closeTo(1.5 * Math.log(2), 1e-6);
    });

    it('equals float64, with the gradient of central differences for any incoming gradient', () => {
      const logits = normals(R * V, 2, 2);
      const { values, gradient } = measure(logits);
      expect(maxDifference(values, rowsOf(logits))).to.be.below(1e-5);
      const weighted = (z: ArrayLike<number>): number => rowsOf(z).reduce((sum, row, r) => sum + factors[r] * row, 0);
      expect(maxDifference(gradient, centralDifferences(weighted, logits))).to.be.below(2e-6);
    });

    it('is right for logits of thousands', () => {
      const logits = normals(R * V, 3, 3000);
      const { values, gradient } = measure(logits);
      rowsOf(logits).forEach((wanted, r) => expect(values[r]).to.be.closeTo(wanted, 1e-6 * Math.max(1, wanted)));
      expect(gradient.every(Number.isFinite)).to.equal(true);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure(normals(R * V, 4));
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
