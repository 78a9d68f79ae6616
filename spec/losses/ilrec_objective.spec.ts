import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, ilrecObjective, type IlrecObjectiveOptions } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';
import {
  centralDifferences,
  maxDifference,
  referenceObjective,
  type ReferenceTerms,
  type Rows,
  toRows,
} from '../support/reference';

const P = 7;
const V = 13;
const base: IlrecObjectiveOptions = {
  penaltyWeight: 0.7,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.3,
  rewardWeight: 0.5,
};

interface Case {
  rows: number;
  layers: number;
  final: Float32Array;
  intermediate: Float32Array;
  labels: Int32Array;
  reward: Float32Array;
}

function randomCase(seed: number, rows = P, layers = 3, scale = 1.5): Case {
  const mass = normals(rows * V, seed + 3).map(Math.abs);
  return {
    rows,
    layers,
    final: normals(rows * V, seed, scale),
    intermediate: normals(layers * rows * V, seed + 1, scale),
    labels: integers(rows, V, seed + 2),
    reward: mass,
  };
}

function reference(
  c: Case,
  options: IlrecObjectiveOptions,
  final: ArrayLike<number> = c.final,
  intermediate: ArrayLike<number> = c.intermediate,
): ReferenceTerms {
  const layersOf = (flat: ArrayLike<number>): Rows[] => {
    const all = toRows(flat, V);
    return Array.from({ length: c.layers }, (_, l) => all.slice(l * c.rows, (l + 1) * c.rows));
  };
  const frozen = { final: toRows(c.final, V), intermediate: layersOf(c.intermediate) };
  return referenceObjective(toRows(final, V), layersOf(intermediate), c.labels, toRows(c.reward, V), options, frozen);
}

/** Value of every term and the gradients to both kinds of logits. */
function measured(
  c: Case,
  options: IlrecObjectiveOptions,
): { terms: ReferenceTerms; dFinal: Float32Array; dIntermediate: Float32Array } {
  let result: ReturnType<typeof measured> | undefined;
  tf.tidy(() => {
    const labels = tf.tensor1d(c.labels, 'int32');
    const reward = tf.tensor2d(c.reward, [c.rows, V]);
    let terms = {} as ReferenceTerms;
    const f = (final: tf.Tensor, intermediate: tf.Tensor): tf.Scalar => {
      const ensemble =
        c.layers === 0 ? null : (tf.mean(tf.reshape(intermediate, [c.layers, c.rows, V]), 0) as tf.Tensor2D);
      const objective = ilrecObjective(
        {
          finalLogits: final as tf.Tensor2D,
          ensembleLogits: ensemble,
          intermediateLogits: options.distillationWeight === 0 || c.layers === 0 ? null : (intermediate as tf.Tensor2D),
          labels,
          reward: options.rewardWeight === 0 ? null : reward,
        },
        options,
      );
      const { klPerLayer: _kl, ...scalars } = objective;
      terms = Object.fromEntries(
        Object.entries(scalars).map(([name, value]) => [name, value.dataSync()[0]]),
      ) as unknown as ReferenceTerms;
      return objective.total;
    };
    const inputs = [tf.tensor2d(c.final, [c.rows, V]), tf.tensor(c.intermediate, [c.layers * c.rows, V])];
    const gradients = tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.add(f(a, b), tf.mul(tf.sum(b), 0)))(inputs);
    result = { terms, dFinal: gradients[0].dataSync<'float32'>(), dIntermediate: gradients[1].dataSync<'float32'>() };
  });
  return result as ReturnType<typeof measured>;
}

function expectEqual(c: Case, options: IlrecObjectiveOptions): void {
  const { terms, dFinal, dIntermediate } = measured(c, options);
  const expected = reference(c, options);
  for (const name of Object.keys(expected) as (keyof ReferenceTerms)[]) {
    const unused =
      (name === 'cpd' && options.distillationWeight === 0) || (name === 'crr' && options.rewardWeight === 0);
    expect(terms[name], name).to.be.closeTo(unused ? 0 : expected[name], 1e-5 * Math.max(1, Math.abs(expected[name])));
  }
  expect(
    maxDifference(
      dFinal,
      centralDifferences((x) => reference(c, options, x).total, c.final),
    ),
    'gradient to final logits',
  ).to.be.below(1e-5);
  const numeric = centralDifferences((x) => reference(c, options, c.final, x).total, c.intermediate);
  expect(maxDifference(dIntermediate, numeric), 'gradient to intermediate logits').to.be.below(1e-5);
}

describe('ilrecObjective', () => {
  forEachBackend(() => {
    for (const penalty of ['scale', 'paper', 'additive'] as const) {
      for (const thresholdReference of ['final', 'ensemble'] as const) {
        it(`equals the float64 reference, value and gradient (${penalty}, threshold of the ${thresholdReference})`, () => {
          for (const thresholdScale of [0.2, 1, 3])
            expectEqual(randomCase(11), { ...base, penalty, thresholdReference, thresholdScale });
        });
      }
    }

    it('takes the reward everywhere where asked, value and gradient', () => {
      expectEqual(randomCase(12), { ...base, rewardTargets: 'all' });
      expectEqual(randomCase(13, 5, 0), { ...base, distillationWeight: 0, rewardTargets: 'all' });
    });

    it('is response-only cross-entropy for alpha = lambda = mu = 0, gradient too', () => {
      const c = randomCase(21);
      const { terms, dFinal, dIntermediate } = measured(c, {
        ...base,
        penaltyWeight: 0,
        distillationWeight: 0,
        rewardWeight: 0,
      });
      const labels = tf.tensor1d(c.labels, 'int32');
      const { value, grad } = tf.valueAndGrad((z: tf.Tensor) => crossEntropy(z as tf.Tensor2D, labels))(
        tf.tensor2d(c.final, [P, V]),
      );
      expect(terms.total).to.be.closeTo(value.dataSync()[0], 1e-7);
      expect(maxDifference(dFinal, grad.dataSync())).to.be.below(1e-8);
      expect(maxDifference(dIntermediate, new Float32Array(dIntermediate.length))).to.equal(0);
    });

    it('is cross-entropy where no token is a negative', () => {
      const c = randomCase(31);
      const options = { ...base, thresholdScale: 1e6, distillationWeight: 0, rewardWeight: 0 };
      expectEqual(c, options);
      const { terms } = measured(c, options);
      expect(terms.numNegatives).to.equal(0);
      expect(terms.cpo).to.be.closeTo(terms.crossEntropy, 1e-6);
    });

    it('takes every token but the label where the threshold is tiny', () => {
      const options = { ...base, thresholdScale: 1e-9 };
      expectEqual(randomCase(41), options);
      expect(measured(randomCase(41), options).terms.numNegatives).to.equal(V - 1);
    });

    it('works on one response position, one layer, and without an intermediate layer', () => {
      expectEqual(randomCase(51, 1, 1), base);
      expectEqual(randomCase(61, 5, 0), { ...base, distillationWeight: 0, rewardWeight: 0 });
    });

    it('stays finite on extreme logits', () => {
      for (const scale of [60, 300]) {
        const { terms, dFinal, dIntermediate } = measured(randomCase(71, P, 2, scale), base);
        expect([...Object.values(terms), ...dFinal, ...dIntermediate].every(Number.isFinite)).to.equal(true);
      }
    });

    it('does not depend on the order of the rows', () => {
      const c = randomCase(81, 5, 1);
      const reversed = (flat: Float32Array): Float32Array => Float32Array.from(toRows(flat, V).reverse().flat());
      const turned = {
        ...c,
        final: reversed(c.final),
        intermediate: reversed(c.intermediate),
        reward: reversed(c.reward),
        labels: Int32Array.from(c.labels).reverse(),
      };
      expect(measured(turned, base).terms.total).to.be.closeTo(measured(c, base).terms.total, 1e-6);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      measured(randomCase(91), base);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
