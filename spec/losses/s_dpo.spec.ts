import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { dpoLoss, sDpoLoss } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { lossAndGradient, readGoldenPreference, sDpoReference } from '../support/preference_reference';
import { normals } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';

const [Q, G] = [5, 4];

describe('sDpoLoss', () => {
  forEachBackend(() => {
    const reference = normals(Q * G, 1, 2);
    const measure = (policy: ArrayLike<number>, beta = 0.7): ReturnType<typeof lossAndGradient> =>
      lossAndGradient((p) => tf.tidy(() => sDpoLoss(p, tf.tensor2d(reference, [Q, G]), { beta })), policy, G);

    it('compares the chosen response with all rejected ones at once', () => {
      // d(y+) - d(y-) = 2 for both: sum of e^-2 twice, so L = log(1 + 2 e^-2)
      const loss = sDpoLoss(tf.tensor2d([[-1, -3, -3]]), tf.tensor2d([[-2, -2, -2]])).dataSync()[0];
      expect(loss).to.be.closeTo(Math.log(1 + 2 * Math.exp(-2)), 1e-6);
    });

    it('is DPO where there is one rejected response, in value and gradient', () => {
      const [policy, pairs] = [normals(2 * Q, 2), tf.tensor2d(normals(2 * Q, 3), [Q, 2])];
      const several = lossAndGradient((p) => sDpoLoss(p, pairs, { beta: 0.3 }), policy, 2);
      const pair = lossAndGradient((p) => dpoLoss(p, pairs, { beta: 0.3 }), policy, 2);
      expect(several.value).to.be.closeTo(pair.value, 1e-6);
      expect(maxDifference(several.gradient, pair.gradient)).to.be.below(1e-7);
    });

    it('is log G at the reference', () => {
      expect(measure(reference).value).to.be.closeTo(Math.log(G), 1e-6);
    });

    it('does not depend on the order of the rejected responses', () => {
      const order = [0, 3, 1, 2];
      const reordered = (values: Float32Array): Float32Array =>
        values.map((_, i) => values[i - (i % G) + order[i % G]]);
      const policy = normals(Q * G, 4, 2);
      const loss = sDpoLoss(tf.tensor2d(reordered(policy), [Q, G]), tf.tensor2d(reordered(reference), [Q, G]), {
        beta: 0.7,
      });
      expect(loss.dataSync()[0]).to.be.closeTo(measure(policy).value, 1e-6);
    });

    it('equals the float64 reference, with the gradient of central differences', () => {
      const policy = normals(Q * G, 5, 2);
      const inFloat64 = sDpoReference(G, 0.7);
      const { value, gradient } = measure(policy);
      expect(value).to.be.closeTo(inFloat64(policy, reference), 1e-5);
      const numeric = centralDifferences((x) => inFloat64(x, reference), policy);
      expect(maxDifference(gradient, numeric)).to.be.below(1e-6);
    });

    it('stays finite on margins of thousands', () => {
      const policy = normals(Q * G, 6, 3000);
      const { value, gradient } = measure(policy);
      expect([...gradient].every(Number.isFinite)).to.equal(true);
      expect(value / sDpoReference(G, 0.7)(policy, reference)).to.be.closeTo(1, 1e-5);
    });

    it('refuses shapes that do not fit together, and a beta below 0', () => {
      const pair = tf.zeros<tf.Rank.R2>([2, 2]);
      expect(() => sDpoLoss(pair, tf.zeros([3, 2]))).to.throw(
        'sDpoLoss: reference must be [2, 2] as policy is, got [3, 2]',
      );
      expect(() => sDpoLoss(pair, pair, { beta: -1 })).to.throw('sDpoLoss: beta must be above 0, got -1; 0.1 is usual');
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure(normals(Q * G, 7));
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('is what PyTorch makes of the formula, with its gradient', () => {
      const { shape, beta, policy, reference: golden, ...expected } = readGoldenPreference().sDpo;
      const found = lossAndGradient(
        (p) => sDpoLoss(p, tf.tensor2d([...golden], [...shape]), { beta }),
        policy,
        shape[1],
      );
      expect(found.value).to.be.closeTo(expected.loss, 1e-6);
      expect(maxDifference(found.gradient, expected.gradient)).to.be.below(1e-6);
    });
  });
});
