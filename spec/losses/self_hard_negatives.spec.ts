import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { selfHardNegatives } from '../../src/losses';
import { forEachBackend } from '../support/backends';

const logOf = (probabilities: number[][]): tf.Tensor2D => tf.log(tf.tensor2d(probabilities)) as tf.Tensor2D;

describe('selfHardNegatives', () => {
  forEachBackend(() => {
    // Row 1: the final layer gives the label 0 probability 0.3, so tokens 1 (0.4) and 3 (0.3) of the ensemble are at or above it.
    // Row 2: it gives the label 3 probability 0.7, which no token of the ensemble reaches.
    const ensemble = [
      [0.2, 0.4, 0.1, 0.3],
      [0.5, 0.2, 0.2, 0.1],
    ];
    const final = [
      [0.3, 0.3, 0.2, 0.2],
      [0.1, 0.1, 0.1, 0.7],
    ];
    const find = (options = {}): { mask: number[][]; weights: number[][] } =>
      tf.tidy(() => {
        const found = selfHardNegatives(logOf(ensemble), logOf(final), tf.tensor1d([0, 3], 'int32'), options);
        return {
          mask: found.mask.arraySync(),
          weights: found.weights.arraySync().map((row) => row.map((w) => Number(w.toFixed(5)))),
        };
      });

    it('takes only tokens that the intermediate layers rank above the target', () => {
      const { mask, weights } = find({ thresholdScale: 0.999 });
      expect(mask).to.deep.equal([
        [0, 1, 0, 1],
        [0, 0, 0, 0],
      ]);
      expect(weights[0]).to.deep.equal([0, Number((0.4 / 0.7).toFixed(5)), 0, Number((0.3 / 0.7).toFixed(5))]);
      expect(weights[1]).to.deep.equal([0, 0, 0, 0]);
    });

    it('compares with the ensemble itself when asked to', () => {
      // tau is 0.2 in row 1 and 0.1 in row 2.
      expect(find({ thresholdReference: 'ensemble', thresholdScale: 0.999 }).mask).to.deep.equal([
        [0, 1, 0, 1],
        [1, 1, 1, 0],
      ]);
    });

    it('lets no gradient through', () => {
      const loss = (z: tf.Tensor): tf.Tensor => {
        const { mask, weights } = selfHardNegatives(z as tf.Tensor2D, z as tf.Tensor2D, tf.tensor1d([0, 3], 'int32'));
        return tf.sum(tf.mul(tf.add(mask, weights), tf.square(z)));
      };
      tf.tidy(() => {
        const z = logOf(ensemble);
        const { mask, weights } = selfHardNegatives(z, z, tf.tensor1d([0, 3], 'int32'));
        const expected = tf.mul(tf.mul(tf.add(mask, weights), 2), z).dataSync();
        expect([...tf.grad(loss)(z).dataSync()]).to.deep.equal([...expected]);
      });
    });

    it('refuses a threshold scale that is not above 0', () => {
      expect(() => find({ thresholdScale: 0 })).to.throw('selfHardNegatives: thresholdScale must be above 0, got 0');
    });
  });
});
