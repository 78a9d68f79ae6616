import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { groupAdvantages, grpoLoss } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { grpoReference, lossAndGradient, readGoldenPreference } from '../support/preference_reference';
import { normals } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';

const [R, T] = [5, 3];

describe('grpoLoss', () => {
  forEachBackend(() => {
    const reference = normals(R * T, 1);
    const mask = Float32Array.from({ length: R * T }, (_, at) => Number(at % T < 1 + (Math.floor(at / T) % T)));
    const advantages = normals(R, 2);
    const matrix = (values: Float32Array): tf.Tensor2D => tf.tensor2d(values, [R, T]);
    const measure = (policy: ArrayLike<number>, klWeight = 0.2, of = advantages): ReturnType<typeof lossAndGradient> =>
      lossAndGradient(
        (p) =>
          tf.tidy(() =>
            grpoLoss({ policy: p, reference: matrix(reference), mask: matrix(mask) }, tf.tensor1d(of), { klWeight }),
          ),
        policy,
        T,
      );

    it('raises what was better than its group, and holds the policy to the reference', () => {
      // lp = (-1, -2), ref = (-2, -2), A = (1, -1): KL = e^-1 + 1 - 1 = e^-1 and 0; L = mean(.1 / e - 1, 1) = .05 / e
      const tokens = (policy: tf.Tensor2D): Parameters<typeof grpoLoss>[0] => ({
        policy,
        reference: tf.tensor2d([[-2], [-2]]),
      });
      const { value, gradient } = lossAndGradient(
        (p) => grpoLoss(tokens(p), tf.tensor1d([1, -1]), { klWeight: 0.1 }),
        [-1, -2],
        1,
      );
      expect(value).to.be.closeTo(0.05 / Math.E, 1e-6);
      // d KL / d lp = 1 - e^(ref - lp)
      expect(maxDifference(gradient, [(-1 + 0.1 * (1 - 1 / Math.E)) / 2, 1 / 2])).to.be.below(1e-6);
    });

    it('has only its KL term where all rewards of a group are equal', () => {
      const equal = tf.tidy(() => groupAdvantages(tf.fill([1, R], 0.3)).dataSync<'float32'>());
      const policy = normals(R * T, 3);
      const kl = grpoReference(policy, policy, reference, mask, new Float32Array(R), 0.2);
      expect(measure(policy, 0.2, equal).value).to.be.closeTo(kl, 1e-6);
      const still = measure(reference, 0.2, equal);
      expect(still.value).to.be.closeTo(0, 1e-6);
      expect(maxDifference(still.gradient, new Float32Array(R * T))).to.be.below(1e-6);
    });

    it('equals the float64 reference, with the gradient of central differences', () => {
      const policy = normals(R * T, 4);
      const inFloat64 = (x: ArrayLike<number>): number => grpoReference(x, policy, reference, mask, advantages, 0.2);
      const { value, gradient } = measure(policy);
      expect(value).to.be.closeTo(inFloat64(policy), 1e-5);
      expect(maxDifference(gradient, centralDifferences(inFloat64, policy))).to.be.below(1e-6);
    });

    it('does not read padding', () => {
      const policy = normals(R * T, 5);
      const other = policy.map((value, at) => (mask[at] === 0 ? value - 3 : value));
      expect(measure(other).value).to.be.closeTo(measure(policy).value, 1e-6);
      expect([...measure(policy).gradient].filter((_, at) => mask[at] === 0).every((slope) => slope === 0)).to.equal(
        true,
      );
    });

    it('refuses shapes that do not fit together, and a negative weight', () => {
      const [policy, wrong] = [tf.zeros<tf.Rank.R2>([2, 3]), tf.zeros<tf.Rank.R2>([2, 1])];
      const two = tf.zeros<tf.Rank.R1>([2]);
      expect(() => grpoLoss({ policy, reference: wrong }, two)).to.throw(
        'grpoLoss: reference must be [2, 3] as policy is, got [2, 1]',
      );
      expect(() => grpoLoss({ policy, reference: policy, mask: wrong }, two)).to.throw(
        'grpoLoss: mask must be [2, 3] as policy is, got [2, 1]',
      );
      expect(() => grpoLoss({ policy, reference: policy }, tf.zeros([3]))).to.throw(
        'grpoLoss: advantages must be [2], one for each response, got [3]',
      );
      expect(() => grpoLoss({ policy, reference: policy }, two, { klWeight: -1 })).to.throw(
        'grpoLoss: klWeight must be 0 or more, got -1',
      );
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure(normals(R * T, 6));
      expect(tf.memory().numTensors).to.equal(before);
    });

    it("is TRL's loss, with its gradient", () => {
      const {
        shape,
        klWeight,
        policy,
        reference: ref,
        mask: counts,
        advantages: of,
        ...expected
      } = readGoldenPreference().grpo;
      const as2D = (values: readonly number[]): tf.Tensor2D => tf.tensor2d([...values], [...shape]);
      const found = lossAndGradient(
        (p) => grpoLoss({ policy: p, reference: as2D(ref), mask: as2D(counts) }, tf.tensor1d([...of]), { klWeight }),
        policy,
        shape[1],
      );
      expect(found.value).to.be.closeTo(expected.loss, 1e-6);
      expect(maxDifference(found.gradient, expected.gradient)).to.be.below(1e-6);
    });
  });
});
