import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, maskedSoftmax, tokenCollaborativeAlignment } from '../../src/losses';
import { forEachBackend, forEachDevice } from '../support/backends';
import { alignmentOf } from '../support/generative_reference';
import { lossAndGradient, readGoldenPreference } from '../support/preference_reference';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, toRows } from '../support/reference';

const [P, V] = [5, 7];
const labels = integers(P, V, 3);
const rowOf = (i: number): number => Math.floor(i / V);
const isLabel = (i: number): boolean => i % V === labels[rowOf(i)];
/** The label and about half of the others; row 2 has the label alone. */
const allowed = Float32Array.from(normals(P * V, 4), (value, i) =>
  isLabel(i) || (rowOf(i) !== 2 && value > 0) ? 1 : 0,
);
/** Masses of the allowed tokens that sum to 1, none in row 4. */
const reward = ((): Float32Array => {
  const raw = toRows(normals(P * V, 5), V).map((row, p) =>
    row.map((value, v) => (p === 4 ? 0 : Math.exp(value) * allowed[p * V + v])),
  );
  return Float32Array.from(
    raw.flatMap((row) => row.map((value) => value / row.reduce((sum, each) => sum + each, 1e-30))),
  );
})();

interface Case {
  readonly weight: number;
  readonly temperature: number;
  readonly isMasked: boolean;
}

async function measure(
  logits: Float32Array,
  { weight, temperature, isMasked }: Case,
): Promise<{ value: number; gradients: Float32Array[] }> {
  const tensors = tf.tidy(() => {
    const f = (z: tf.Tensor, c: tf.Tensor): tf.Tensor =>
      tf.add(
        tokenCollaborativeAlignment(z as tf.Tensor2D, tf.tensor1d(labels, 'int32'), c as tf.Tensor2D, {
          collaborativeWeight: weight,
          temperature,
          ...(isMasked ? { allowed: tf.tensor2d(allowed, [P, V]) } : {}),
        }),
        tf.mul(tf.sum(c), 0),
      );
    const { value, grads } = tf.valueAndGrads(f)([tf.tensor2d(logits, [P, V]), tf.tensor2d(reward, [P, V])]);
    return [value, ...grads];
  });
  const [value, ...gradients] = await Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));
  tf.dispose(tensors);
  return { value: value[0], gradients };
}

describe('tokenCollaborativeAlignment', () => {
  forEachDevice(() => {
    it('asks for mass on the label and on what the collaborative model finds likely, together', async () => {
      // z = (ln 2, 0, 0), so e^z = (2, 1, 1); label 0; c = (0, 1/2, 1/2); a = 1/2: q = (1/2, 1/4, 1/4).
      // log(2 + 1 + 1) - log(2/2 + 1/4 + 1/4) = log 4 - log 1.5
      const loss = tf.tidy(() =>
        tokenCollaborativeAlignment(
          tf.tensor2d([[Math.log(2), 0, 0]]),
          tf.tensor1d([0], 'int32'),
          tf.tensor2d([[0, 0.5, 0.5]]),
          { collaborativeWeight: 0.5 },
        ),
      );
      expect((await loss.data())[0]).to.be.closeTo(Math.log(4) - Math.log(1.5), 1e-6);
      loss.dispose();
    });

    it('is cross-entropy for a = 0 and tau = 1, and MSL where tokens are restricted', async () => {
      const logits = normals(P * V, 6, 2);
      const [plain, masked] = tf.tidy(() => {
        const [z, y] = [tf.tensor2d(logits, [P, V]), tf.tensor1d(labels, 'int32')];
        return [crossEntropy(z, y), maskedSoftmax(z, y, tf.tensor2d(allowed, [P, V]))];
      });
      const off = { weight: 0, temperature: 1 };
      expect((await measure(logits, { ...off, isMasked: false })).value).to.be.closeTo((await plain.data())[0], 1e-5);
      expect((await measure(logits, { ...off, isMasked: true })).value).to.be.closeTo((await masked.data())[0], 1e-5);
      tf.dispose([plain, masked]);
    });

    it('equals the float64 reference, with the gradient of central differences', async () => {
      const logits = normals(P * V, 7, 2);
      for (const isMasked of [false, true])
        for (const [weight, temperature] of [
          [0.1, 1],
          [0.6, 3],
          [1, 0.5],
        ]) {
          const lossOf = (z: ArrayLike<number>): number =>
            alignmentOf(toRows(z, V), labels, toRows(reward, V), {
              weight,
              temperature,
              allowed: isMasked ? toRows(allowed, V) : null,
            });
          const { value, gradients } = await measure(logits, { weight, temperature, isMasked });
          expect(value).to.be.closeTo(lossOf(logits), 1e-5);
          expect(maxDifference(gradients[0], centralDifferences(lossOf, logits))).to.be.below(1e-6);
          expect(gradients[1].every((each) => each === 0)).to.equal(true); // c is a constant
        }
    });

    it('stays finite on logits of thousands', async () => {
      for (const isMasked of [false, true]) {
        const { value, gradients } = await measure(normals(P * V, 8, 3000), { weight: 0.1, temperature: 1, isMasked });
        expect([value, ...gradients[0]].every(Number.isFinite)).to.equal(true);
      }
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      await measure(normals(P * V, 9), { weight: 0.1, temperature: 2, isMasked: true });
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  forEachBackend(() => {
    it('is what PyTorch makes of the formula, with its gradient', () => {
      const { shape, logits, labels, allowed, reward: c, loss, gradient, ...options } = readGoldenPreference().tca4rec;
      const found = lossAndGradient(
        (z) =>
          tokenCollaborativeAlignment(z, tf.tensor1d([...labels], 'int32'), tf.tensor2d([...c], [...shape]), {
            ...options,
            allowed: tf.tensor2d([...allowed], [...shape]),
          }),
        logits,
        shape[1],
      );
      expect(found.value).to.be.closeTo(loss, 1e-6);
      expect(maxDifference(found.gradient, gradient)).to.be.below(1e-6);
    });
  });

  it('refuses options out of range', () => {
    const [y, z] = [tf.tensor1d([0], 'int32'), tf.zeros([1, 3]) as tf.Tensor2D];
    expect(() => tokenCollaborativeAlignment(z, y, z, { collaborativeWeight: 1.5 })).to.throw(
      'tokenCollaborativeAlignment: collaborativeWeight must be from 0 to 1, got 1.5',
    );
    expect(() => tokenCollaborativeAlignment(z, y, z, { temperature: 0 })).to.throw(
      'tokenCollaborativeAlignment: temperature must be above 0, got 0; 1 is the default',
    );
    tf.dispose([y, z]);
  });
});
