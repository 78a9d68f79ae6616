import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossLayerDistillation } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, klOf, maxDifference, mean, toRows } from '../support/reference';

describe('crossLayerDistillation', () => {
  forEachBackend(() => {
    it('is the Kullback-Leibler divergence of each layer from the final one', () => {
      // p^L = (1/2, 1/2), p^l = (1/4, 3/4): KL = 1/2 ln 2 + 1/2 ln(2/3); the second layer equals the final one.
      const kl = tf.tidy(() =>
        crossLayerDistillation(
          tf.tensor2d([[0, 0]]),
          tf.log(
            tf.tensor2d([
              [0.25, 0.75],
              [3, 3],
            ]),
          ) as tf.Tensor2D,
        ).dataSync(),
      );
      expect(kl[0]).to.be.closeTo(0.5 * Math.log(2) + 0.5 * Math.log(2 / 3), 1e-6);
      expect(kl[1]).to.be.closeTo(0, 1e-6);
    });

    it('has a gradient to the students alone, and only on the slice of item tokens', () => {
      const [teacher, students] = [normals(3 * 7, 1), normals(2 * 3 * 7, 2)];
      const itemTokens = [1, 4, 6];
      const onSlice = (row: number[]): number[] => itemTokens.map((v) => row[v]);
      const value = (flat: ArrayLike<number>): number =>
        mean(toRows(flat, 7).map((row, r) => klOf(onSlice(toRows(teacher, 7)[r % 3]), onSlice(row))));
      tf.tidy(() => {
        const f = (t: tf.Tensor, s: tf.Tensor): tf.Tensor =>
          tf.add(
            tf.mean(crossLayerDistillation(t as tf.Tensor2D, s as tf.Tensor2D, { itemTokens })),
            tf.mul(tf.sum(t), 0),
          );
        const { value: loss, grads } = tf.valueAndGrads(f)([
          tf.tensor2d(teacher, [3, 7]),
          tf.tensor2d(students, [6, 7]),
        ]);
        expect(loss.dataSync()[0]).to.be.closeTo(value(students), 1e-6);
        expect(maxDifference(grads[1].dataSync(), centralDifferences(value, students))).to.be.below(1e-6);
        expect(maxDifference(grads[0].dataSync(), new Float32Array(21))).to.equal(0);
      });
    });
  });
});
