import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, crossLayerPreference, type CrossLayerPreferenceOptions } from '../../src/losses';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, mean, preferenceOf, toRows } from '../support/reference';

const [P, V] = [5, 7];
const PENALTIES = ['scale', 'paper', 'additive'] as const;

/** Weights of about half of the tokens, each row's sum 1, none at the label. */
function randomWeights(labels: Int32Array, seed: number): Float32Array {
  const raw = normals(P * V, seed).map((value, i) => (i % V === labels[Math.floor(i / V)] ? 0 : Math.max(0, value)));
  return Float32Array.from(
    toRows(raw, V).flatMap((row) => row.map((value) => value / row.reduce((a, b) => a + b, 1e-9))),
  );
}

describe('crossLayerPreference', () => {
  forEachBackend(() => {
    const labels = integers(P, V, 3);
    const weights = randomWeights(labels, 4);
    const lossOf = (logits: ArrayLike<number>, options: CrossLayerPreferenceOptions): number => {
      const { penaltyWeight = 0.1, penalty = 'scale' } = options;
      const rows = toRows(weights, V);
      return mean(toRows(logits, V).map((row, p) => preferenceOf(row, labels[p], rows[p], penaltyWeight, penalty)));
    };
    const measure = (
      logits: Float32Array,
      options: CrossLayerPreferenceOptions,
    ): { value: number; gradients: Float32Array[] } =>
      tf.tidy(() => {
        const f = (z: tf.Tensor, w: tf.Tensor): tf.Tensor =>
          tf.add(
            crossLayerPreference(z as tf.Tensor2D, tf.tensor1d(labels, 'int32'), w as tf.Tensor2D, options),
            tf.mul(tf.sum(w), 0),
          );
        const { value, grads } = tf.valueAndGrads(f)([tf.tensor2d(logits, [P, V]), tf.tensor2d(weights, [P, V])]);
        return { value: value.dataSync()[0], gradients: grads.map((grad) => grad.dataSync<'float32'>()) };
      }) as unknown as { value: number; gradients: Float32Array[] };

    it('raises the logit of a negative by alpha w |z|, alpha w z or alpha w, and takes the mean over the rows', () => {
      // Label 0, negative token 1 with w = 1, alpha = 0.5. Row 1, z = (1, 2, -1): z'(1) is 3, 3 and 2.5.
      // Row 2, z = (1, -2, -1): z'(1) is -1 with scale, -3 as printed in the paper, -1.5 additive.
      const lse = (...z: number[]): number => Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0));
      const raised = { scale: [3, -1], paper: [3, -3], additive: [2.5, -1.5] };
      for (const penalty of PENALTIES) {
        const loss = tf.tidy(() => {
          const logits = tf.tensor2d([1, 2, -1, 1, -2, -1], [2, 3]);
          const negatives = tf.tensor2d([0, 1, 0, 0, 1, 0], [2, 3]);
          const options = { penaltyWeight: 0.5, penalty };
          return crossLayerPreference(logits, tf.tensor1d([0, 0], 'int32'), negatives, options).dataSync()[0];
        });
        const [first, second] = raised[penalty];
        expect(loss, penalty).to.be.closeTo((lse(1, first, -1) - 1 + (lse(1, second, -1) - 1)) / 2, 1e-6);
      }
    });

    it('is cross-entropy for alpha 0 and for weights of 0', () => {
      const logits = normals(P * V, 5, 2);
      const [plain, unweighted] = tf.tidy(() => {
        const [z, y] = [tf.tensor2d(logits, [P, V]), tf.tensor1d(labels, 'int32')];
        return [crossEntropy(z, y), crossLayerPreference(z, y, tf.zeros([P, V]))].map((loss) => loss.dataSync()[0]);
      });
      expect(measure(logits, { penaltyWeight: 0 }).value).to.equal(plain);
      expect(unweighted).to.equal(plain);
    });

    for (const penalty of PENALTIES) {
      it(`equals the float64 reference, with the gradient of central differences, also through s (${penalty})`, () => {
        const logits = normals(P * V, 6, 2);
        const options = { penaltyWeight: 0.7, penalty };
        const { value, gradients } = measure(logits, options);
        expect(value).to.be.closeTo(lossOf(logits, options), 1e-5);
        const numeric = centralDifferences((z) => lossOf(z, options), logits);
        expect(maxDifference(gradients[0], numeric)).to.be.below(1e-6);
      });
    }

    it('gives the weights no gradient', () => {
      expect(measure(normals(P * V, 7), { penaltyWeight: 0.7 }).gradients[1].every((value) => value === 0)).to.equal(
        true,
      );
    });

    it('stays finite on logits of thousands', () => {
      const { value, gradients } = measure(normals(P * V, 8, 3000), { penaltyWeight: 5 });
      expect([value, ...gradients[0]].every(Number.isFinite)).to.equal(true);
    });

    it('refuses a negative penalty weight', () => {
      const [y, z] = [tf.tensor1d([0], 'int32'), tf.zeros([1, 3]) as tf.Tensor2D];
      expect(() => crossLayerPreference(z, y, z, { penaltyWeight: -1 })).to.throw(
        'crossLayerPreference: penaltyWeight must be at least 0, got -1',
      );
      tf.dispose([y, z]);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      for (const penalty of PENALTIES) measure(normals(P * V, 9), { penaltyWeight: 0.3, penalty });
      measure(normals(P * V, 9), { penaltyWeight: 0 });
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
