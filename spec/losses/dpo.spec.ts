import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { dpoLoss } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { dpoReference, lossAndGradient, readGoldenPreference } from '../support/preference_reference';
import { normals } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';

const [Q, G] = [5, 3];

describe('dpoLoss', () => {
  forEachBackend(() => {
    const reference = normals(Q * G, 1, 2);
    const ofReference = (values: ArrayLike<number>): tf.Tensor2D => tf.tensor2d(Float32Array.from(values), [Q, G]);
    const measure = (policy: ArrayLike<number>, beta = 0.7): ReturnType<typeof lossAndGradient> =>
      lossAndGradient((p) => tf.tidy(() => dpoLoss(p, ofReference(reference), { beta })), policy, G);

    it('pushes the chosen response above the rejected one, relative to the reference', () => {
      // d = (-1 + 2, -3 + 2) = (1, -1), beta .5: sigma(.5 * 2), so L = log(1 + e^-1); dL/d policy = -+ .5 sigma(-1)
      const { value, gradient } = lossAndGradient(
        (p) => dpoLoss(p, tf.tensor2d([[-2, -2]]), { beta: 0.5 }),
        [-1, -3],
        2,
      );
      const slope = 0.5 / (1 + Math.E);
      expect(value).to.be.closeTo(Math.log(1 + 1 / Math.E), 1e-6);
      expect(maxDifference(gradient, [-slope, slope])).to.be.below(1e-6);
    });

    it('is log 2 at the reference, with beta / 2 as the slope of each pair', () => {
      const { value, gradient } = measure(reference, 0.8);
      expect(value).to.be.closeTo(Math.log(2), 1e-6);
      const [one, pairs] = [0.4, Q * (G - 1)];
      expect(maxDifference(gradient.subarray(0, G), [(-2 * one) / pairs, one / pairs, one / pairs])).to.be.below(1e-6);
    });

    it('does not change when all log-probabilities of a group move together', () => {
      const policy = normals(Q * G, 2, 2);
      const moved = policy.map((value, i) => value + Math.floor(i / G));
      expect(measure(moved).value).to.be.closeTo(measure(policy).value, 1e-5);
    });

    it('equals the float64 reference, with the gradient of central differences', () => {
      const policy = normals(Q * G, 3, 2);
      const inFloat64 = dpoReference(G, 0.7);
      const { value, gradient } = measure(policy);
      expect(value).to.be.closeTo(inFloat64(policy, reference), 1e-5);
      const numeric = centralDifferences((x) => inFloat64(x, reference), policy);
      expect(maxDifference(gradient, numeric)).to.be.below(1e-6);
    });

    it('stays finite on margins of thousands, and costs as much as they are wrong', () => {
      const policy = normals(Q * G, 4, 3000);
      const { value, gradient } = measure(policy);
      expect([...gradient].every(Number.isFinite)).to.equal(true);
      expect(value / dpoReference(G, 0.7)(policy, reference)).to.be.closeTo(1, 1e-5);
    });

    it('refuses shapes that do not fit together, and a beta of 0', () => {
      const [pair, triple] = [tf.zeros<tf.Rank.R2>([2, 2]), tf.zeros<tf.Rank.R2>([2, 3])];
      expect(() => dpoLoss(pair, triple)).to.throw('dpoLoss: reference must be [2, 2] as policy is, got [2, 3]');
      expect(() => dpoLoss(tf.zeros([2, 1]), tf.zeros([2, 1]))).to.throw(
        'dpoLoss: policy must be [Q, G] with a chosen and at least one rejected response, got [2, 1]',
      );
      expect(() => dpoLoss(pair, pair, { beta: 0 })).to.throw('dpoLoss: beta must be above 0, got 0; 0.1 is usual');
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure(normals(Q * G, 5));
      expect(tf.memory().numTensors).to.equal(before);
    });

    it("is TRL's loss, with its gradient", () => {
      const { shape, beta, policy, reference: golden, ...expected } = readGoldenPreference().dpo;
      const found = lossAndGradient(
        (p) => dpoLoss(p, tf.tensor2d([...golden], [...shape]), { beta }),
        policy,
        shape[1],
      );
      expect(found.value).to.be.closeTo(expected.loss, 1e-6);
      expect(maxDifference(found.gradient, expected.gradient)).to.be.below(1e-6);
    });
  });
});
