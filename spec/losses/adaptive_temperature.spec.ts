import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { adaptiveTemperature, type AdaptiveTemperatureOptions } from '../../src/losses';
import { forEachDevice } from '../support/backends';
import { temperatureOf } from '../support/generative_reference';
import { integers, normals } from '../support/random';
import { toRows } from '../support/reference';

const [P, V, FIRST] = [5, 13, 11];
/** Rows 0, 2 and 4 are the first tokens of items: the last two tokens cannot begin one. */
const allowed = Float32Array.from({ length: P * V }, (_, i) =>
  Math.floor(i / V) % 2 === 0 ? Number(i % V < FIRST) : Number(i % V < 3),
);
const labels = integers(P, 3, 3);
/** Labels stand out, as after some training. */
const logits = normals(P * V, 4).map((value, i) => value + (i % V === labels[Math.floor(i / V)] ? 6 : 0));

async function measure(
  options: AdaptiveTemperatureOptions,
  { previous = 1.5, open = allowed }: { previous?: number; open?: Float32Array } = {},
): Promise<number> {
  const tau = tf.tidy(() =>
    adaptiveTemperature(
      {
        logits: tf.tensor2d(logits, [P, V]),
        labels: tf.tensor1d(labels, 'int32'),
        allowed: tf.tensor2d(open, [P, V]),
        numFirstTokens: FIRST,
        previous: tf.scalar(previous),
      },
      options,
    ),
  );
  const [value] = await tau.data();
  tau.dispose();
  return value;
}

describe('adaptiveTemperature', () => {
  forEachDevice(() => {
    it('solves for the probability of the label', async () => {
      // One row, logits 3 and seven times 0: d = 3 - 3/8, s^2 = (9 - 9/8) / 7 = 9/8, C = log(8/4) = log 2.
      const tau = tf.tidy(() => {
        const z = tf.tensor2d([[3, 0, 0, 0, 0, 0, 0, 0]]);
        return adaptiveTemperature(
          {
            logits: z,
            labels: tf.tensor1d([0], 'int32'),
            allowed: tf.onesLike(z),
            numFirstTokens: 8,
            previous: tf.scalar(1),
          },
          { rate: 1, min: 0.1, max: 10 },
        );
      });
      const [value] = await tau.data();
      tau.dispose();
      const [d, s2, C] = [3 - 3 / 8, 9 / 8, Math.log(2)];
      expect(value).to.be.closeTo((d + Math.sqrt(d * d - 2 * C * s2)) / (2 * C), 1e-5);
      expect(Math.exp(d / value - s2 / (2 * value * value))).to.be.closeTo(2, 1e-5); // eta n
    });

    it('equals the float64 reference over the first tokens of the batch', async () => {
      for (const labelProbability of [0.25, 0.5, 1]) {
        const wanted = temperatureOf(toRows(logits, V), labels, toRows(allowed, V), FIRST, labelProbability);
        expect(await measure({ labelProbability, rate: 1, min: 0.01, max: 100 })).to.be.closeTo(wanted, 1e-4);
      }
    });

    it('moves by its rate from the temperature before, within its limits', async () => {
      const limits = { rate: 0.25, min: 2, max: 3 };
      const wanted = temperatureOf(toRows(logits, V), labels, toRows(allowed, V), FIRST, 0.25);
      expect(wanted).to.be.above(3);
      expect(await measure(limits, { previous: 1 })).to.be.closeTo(0.75 * 1 + 0.25 * 3, 1e-6);
      expect(await measure({ ...limits, min: 8, max: 9 }, { previous: 1 })).to.be.closeTo(0.75 * 1 + 0.25 * 8, 1e-6);
    });

    it('keeps the temperature where no item begins', async () => {
      const inside = Float32Array.from({ length: P * V }, (_, i) => Number(i % V < 3));
      expect(await measure({ rate: 1 }, { previous: 2.5, open: inside })).to.equal(2.5);
    });

    it('passes no gradient on, and leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      const gradient = tf.tidy(() =>
        tf.grad((z: tf.Tensor) => {
          const inputs = {
            logits: z as tf.Tensor2D,
            labels: tf.tensor1d(labels, 'int32'),
            allowed: tf.tensor2d(allowed, [P, V]),
            numFirstTokens: FIRST,
            previous: tf.scalar(1.5),
          };
          return tf.add(tf.sum(z), tf.mul(adaptiveTemperature(inputs), 100)) as tf.Scalar;
        })(tf.tensor2d(logits, [P, V])),
      );
      expect([...(await gradient.data())].every((value) => value === 1)).to.equal(true);
      gradient.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('refuses options out of range, and too few first tokens', async () => {
    const refused = async (options: AdaptiveTemperatureOptions): Promise<string> =>
      measure(options).then(String, ({ message }: Error) => message);
    expect(await refused({ labelProbability: 0.05 })).to.equal(
      'adaptiveTemperature: more than 20 tokens must be able to begin an item, 1 / labelProbability, got 11; give ' +
        'the temperature as a number',
    );
    expect(await refused({ labelProbability: 2 })).to.equal(
      'adaptiveTemperature: labelProbability must be in (0, 1], got 2',
    );
    expect(await refused({ rate: 0 })).to.equal('adaptiveTemperature: rate must be in (0, 1], got 0');
    expect(await refused({ initial: 0 })).to.equal('adaptiveTemperature: initial must be above 0, got 0');
    expect(await refused({ min: 0 })).to.equal('adaptiveTemperature: min must be above 0, got 0');
    expect(await refused({ max: 1 })).to.equal('adaptiveTemperature: max must be at least min, 1.5, got 1');
  });
});
