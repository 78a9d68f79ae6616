import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { dpoLoss, rosePoLoss } from '../../src/losses';
import { preferenceDoubt } from '../../src/losses/rose_po';
import { forEachBackend } from '../support/backends';
import { lossAndGradient, readGoldenPreference, rosePoReference } from '../support/preference_reference';
import { normals } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';

const [Q, G] = [5, 3];

describe('rosePoLoss', () => {
  forEachBackend(() => {
    const reference = normals(Q * G, 1, 2);
    const doubt = normals(Q * (G - 1), 2).map((value) => 0.5 / (1 + Math.exp(value)));
    const pairs = (values: ArrayLike<number>): tf.Tensor2D => tf.tensor2d(Float32Array.from(values), [Q, G - 1]);
    const measure = (policy: ArrayLike<number>, e: ArrayLike<number> = doubt): ReturnType<typeof lossAndGradient> =>
      lossAndGradient(
        (p) => tf.tidy(() => rosePoLoss(p, tf.tensor2d(reference, [Q, G]), pairs(e), { beta: 0.7 })),
        policy,
        G,
      );

    it('takes the pair the other way round in proportion to the doubt', () => {
      // D = .5 * 2 = 1, e = .2: L = .8 log(1 + e^-1) + .2 log(1 + e)
      const loss = rosePoLoss(tf.tensor2d([[-1, -3]]), tf.tensor2d([[-2, -2]]), tf.tensor2d([[0.2]]), { beta: 0.5 });
      expect(loss.dataSync()[0]).to.be.closeTo(0.8 * Math.log(1 + 1 / Math.E) + 0.2 * Math.log(1 + Math.E), 1e-6);
    });

    it('is DPO without doubt, in value and gradient', () => {
      const policy = normals(Q * G, 3, 2);
      const without = measure(policy, new Float32Array(Q * (G - 1)));
      const plain = lossAndGradient((p) => dpoLoss(p, tf.tensor2d(reference, [Q, G]), { beta: 0.7 }), policy, G);
      expect(without.value).to.be.closeTo(plain.value, 1e-6);
      expect(maxDifference(without.gradient, plain.gradient)).to.be.below(1e-7);
    });

    it('is lowest at the reference where the doubt is one half', () => {
      const half = new Float32Array(Q * (G - 1)).fill(0.5);
      const { value, gradient } = measure(reference, half);
      expect(value).to.be.closeTo(Math.log(2), 1e-6);
      expect(maxDifference(gradient, new Float32Array(Q * G))).to.be.below(1e-7);
    });

    it('equals the float64 reference, with the gradient of central differences', () => {
      const policy = normals(Q * G, 4, 2);
      const inFloat64 = rosePoReference(G, 0.7, doubt);
      const { value, gradient } = measure(policy);
      expect(value).to.be.closeTo(inFloat64(policy, reference), 1e-5);
      const numeric = centralDifferences((x) => inFloat64(x, reference), policy);
      expect(maxDifference(gradient, numeric)).to.be.below(1e-6);
    });

    it('stays finite on margins of thousands', () => {
      const { value, gradient } = measure(normals(Q * G, 5, 3000));
      expect([value, ...gradient].every(Number.isFinite)).to.equal(true);
    });

    it('refuses another number of doubts than of pairs', () => {
      const [three, two] = [tf.zeros<tf.Rank.R2>([2, 3]), tf.zeros<tf.Rank.R2>([2, 1])];
      expect(() => rosePoLoss(three, three, two)).to.throw(
        'rosePoLoss: doubt must be [2, 2], one for each pair, got [2, 1]',
      );
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measure(normals(Q * G, 6));
      expect(tf.memory().numTensors).to.equal(before);
    });

    it("is what TRL's losses make of the formula, with its gradient", () => {
      const { shape, beta, doubt: e, policy, reference: golden, ...expected } = readGoldenPreference().rosePo;
      const found = lossAndGradient(
        (p) => rosePoLoss(p, tf.tensor2d([...golden], [...shape]), tf.fill([shape[0], 1], e), { beta }),
        policy,
        shape[1],
      );
      expect(found.value).to.be.closeTo(expected.loss, 1e-6);
      expect(maxDifference(found.gradient, expected.gradient)).to.be.below(1e-6);
    });
  });
});

describe('preferenceDoubt', () => {
  it('falls the surer the model is that the chosen item is better, and is cut at its largest value', () => {
    // s(y+) - s(y-) = log 3, 0, -5: 2 * .4 * 1/4 = .2, .4, and .4 as the cut
    const doubt = preferenceDoubt([Math.log(3), 0, 0, 5], 4, 0.4);
    expect(maxDifference(doubt, [0.2, 0.2, 0.4])).to.be.below(1e-6);
    expect([...preferenceDoubt([1, 0, 2, 7], 2, 0)]).to.deep.equal([0, 0]);
  });
});
