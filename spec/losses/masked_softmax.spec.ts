import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, maskedSoftmax } from '../../src/losses';
import { forEachBackend, forEachDevice } from '../support/backends';
import { maskedSoftmaxOf } from '../support/generative_reference';
import { lossAndGradient, readGoldenPreference } from '../support/preference_reference';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, type Rows, toRows } from '../support/reference';

const [P, V] = [5, 7];
const labels = integers(P, V, 3);
/** The label and about half of the others; row 2 has the label alone. */
const allowed = Float32Array.from(normals(P * V, 4), (value, i) => {
  const [row, token] = [Math.floor(i / V), i % V];
  return token === labels[row] || (row !== 2 && value > 0) ? 1 : 0;
});
const rowsAllowed: Rows = toRows(allowed, V);

interface Measured {
  readonly value: number;
  readonly gradient: Float32Array;
}

async function measure(logits: Float32Array, temperature: number, open: Float32Array = allowed): Promise<Measured> {
  const [value, gradient] = tf.tidy(() => {
    const f = (z: tf.Tensor): tf.Tensor =>
      maskedSoftmax(z as tf.Tensor2D, tf.tensor1d(labels, 'int32'), tf.tensor2d(open, [P, V]), { temperature });
    const { value, grad } = tf.valueAndGrad(f)(tf.tensor2d(logits, [P, V]));
    return [value, grad];
  });
  const read = { value: (await value.data())[0], gradient: await gradient.data<'float32'>() };
  tf.dispose([value, gradient]);
  return read;
}

describe('maskedSoftmax', () => {
  forEachDevice(() => {
    it('is the cross-entropy over the allowed tokens, by the temperature', async () => {
      // z = (2, 0, 9), token 2 is not allowed, tau = 2: log(e + 1) - 1
      const loss = tf.tidy(() =>
        maskedSoftmax(tf.tensor2d([[2, 0, 9]]), tf.tensor1d([0], 'int32'), tf.tensor2d([[1, 1, 0]]), {
          temperature: tf.scalar(2),
        }),
      );
      expect((await loss.data())[0]).to.be.closeTo(Math.log(Math.E + 1) - 1, 1e-6);
      loss.dispose();
    });

    it('is sft over all tokens at temperature 1', async () => {
      const logits = normals(P * V, 5, 2);
      const plain = tf.tidy(() => crossEntropy(tf.tensor2d(logits, [P, V]), tf.tensor1d(labels, 'int32')));
      const { value } = await measure(logits, 1, new Float32Array(P * V).fill(1));
      expect(value).to.be.closeTo((await plain.data())[0], 1e-6);
      plain.dispose();
    });

    it('equals the float64 reference, with the gradient of central differences', async () => {
      const logits = normals(P * V, 6, 2);
      for (const temperature of [0.5, 1, 4.5]) {
        const { value, gradient } = await measure(logits, temperature);
        const lossOf = (z: ArrayLike<number>): number =>
          maskedSoftmaxOf(toRows(z, V), labels, rowsAllowed, temperature);
        expect(value).to.be.closeTo(lossOf(logits), 1e-5);
        expect(maxDifference(gradient, centralDifferences(lossOf, logits))).to.be.below(1e-6);
      }
    });

    it('leaves positions with one allowed token out of the mean, and tokens that are not allowed alone', async () => {
      const { gradient } = await measure(normals(P * V, 7, 2), 1);
      gradient.forEach((value, i) => {
        if (allowed[i] === 0 || Math.floor(i / V) === 2) expect(value).to.equal(0);
      });
      const onlyLabels = Float32Array.from({ length: P * V }, (_, i) => Number(i % V === labels[Math.floor(i / V)]));
      const none = await measure(normals(P * V, 7, 2), 1, onlyLabels);
      expect([none.value, ...none.gradient].every((value) => value === 0)).to.equal(true);
    });

    it('stays finite on logits of thousands', async () => {
      const { value, gradient } = await measure(normals(P * V, 8, 3000), 0.5);
      expect([value, ...gradient].every(Number.isFinite)).to.equal(true);
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      await measure(normals(P * V, 9), 2);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  forEachBackend(() => {
    it('is what PyTorch makes of it, with its gradient', () => {
      const { shape, temperature, logits, labels, allowed, ...expected } = readGoldenPreference().msl;
      const found = lossAndGradient(
        (z) =>
          maskedSoftmax(z, tf.tensor1d([...labels], 'int32'), tf.tensor2d([...allowed], [...shape]), { temperature }),
        logits,
        shape[1],
      );
      expect(found.value).to.be.closeTo(expected.loss, 1e-6);
      expect(maxDifference(found.gradient, expected.gradient)).to.be.below(1e-6);
    });
  });

  it('refuses a temperature that is not above 0', () => {
    const [y, z] = [tf.tensor1d([0], 'int32'), tf.ones([1, 3]) as tf.Tensor2D];
    for (const temperature of [0, -1, NaN, Infinity])
      expect(() => maskedSoftmax(z, y, z, { temperature })).to.throw(
        `maskedSoftmax: temperature must be above 0, got ${temperature}; 1 is the default`,
      );
    tf.dispose([y, z]);
  });
});
