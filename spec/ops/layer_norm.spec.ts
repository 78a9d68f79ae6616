import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { layerNorm } from '../../src/ops/layer_norm';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';

/** layerNorm by loops in float64: the sum over all outputs times `weights`. */
function weightedSum(
  x: ArrayLike<number>,
  gamma: ArrayLike<number>,
  beta: ArrayLike<number>,
  weights: ArrayLike<number>,
  epsilon: number,
): number {
  const size = gamma.length;
  let sum = 0;
  for (let row = 0; row < x.length; row += size) {
    const values = Array.from({ length: size }, (_, d) => x[row + d]);
    const mean = values.reduce((total, value) => total + value, 0) / size;
    const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / size;
    values.forEach(
      (value, d) => (sum += weights[row + d] * ((gamma[d] * (value - mean)) / Math.sqrt(variance + epsilon) + beta[d])),
    );
  }
  return sum;
}

describe('layerNorm', () => {
  forEachBackend(() => {
    it('centres and scales each row', () => {
      // mean 2, variance 2/3
      const y = layerNorm(tf.tensor2d([[1, 2, 3]]), tf.tensor1d([1, 1, 2]), tf.tensor1d([0, 5, 0]), 0).dataSync();
      expect(y[0]).to.be.closeTo(-Math.sqrt(1.5), 1e-6);
      expect(y[1]).to.be.closeTo(5, 1e-6);
      expect(y[2]).to.be.closeTo(2 * Math.sqrt(1.5), 1e-6);
    });

    it('has the gradient of central differences in all three inputs', () => {
      const inputs = [normals(2 * 3 * 5, 1), normals(5, 2), normals(5, 3)];
      const weights = normals(30, 4);
      const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): tf.Scalar =>
        tf.sum(tf.mul(layerNorm(x, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-3), tf.tensor3d(weights, [2, 3, 5])));
      const gradients = tf.grads(f)([
        tf.tensor3d(inputs[0], [2, 3, 5]),
        tf.tensor1d(inputs[1]),
        tf.tensor1d(inputs[2]),
      ]);
      gradients.forEach((gradient, which) => {
        gradient.dataSync().forEach((value, i) => {
          const at = (shift: number): number => {
            const [x, gamma, beta] = inputs.map((input, j) =>
              Float64Array.from(input, (v, k) => (j === which && k === i ? v + shift : v)),
            );
            return weightedSum(x, gamma, beta, weights, 1e-3);
          };
          expect(value).to.be.closeTo((at(1e-4) - at(-1e-4)) / 2e-4, 1e-4);
        });
      });
    });

    it('keeps a constant row finite', () => {
      expect(Array.from(layerNorm(tf.ones([2, 3]), tf.ones([3]), tf.zeros([3])).dataSync())).to.deep.equal([
        0, 0, 0, 0, 0, 0,
      ]);
    });
  });
});
