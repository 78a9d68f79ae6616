import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { ilrecObjective, type IlrecObjectiveOptions, streamingObjective } from '../../../src/losses';
import { forEachDevice } from '../../support/backends';
import { normals } from '../../support/random';
import { maxDifference } from '../../support/reference';

const V = 1511; // more negatives than the buffer of 512 holds

/**
 * One response row whose z^L is a token's first weight and z~ its second; of both ways the value and the gradient to
 * the final hidden state.
 */
async function bothWays(
  first: Float32Array,
  second: Float32Array,
  options: IlrecObjectiveOptions,
): Promise<{ value: number; gradient: Float32Array }[]> {
  const found = tf.tidy(() => {
    const weight = tf.stack([tf.tensor1d(first), tf.tensor1d(second)], 1) as tf.Tensor2D; // [V, 2]
    const [final, intermediate] = [tf.tensor2d([[1, 0]]), tf.tensor2d([[0, 1]])];
    const labels = Int32Array.of(0);
    const streamed = (hidden: tf.Tensor): tf.Tensor =>
      streamingObjective(
        {
          finalHidden: hidden as tf.Tensor2D,
          intermediateHidden: intermediate,
          head: { weight, layout: 'rows', bias: null },
          labels,
          reward: null,
        },
        options,
      ).total;
    const dense = (hidden: tf.Tensor): tf.Tensor => {
      const logits = (states: tf.Tensor): tf.Tensor2D => tf.matMul(states, weight, false, true) as tf.Tensor2D;
      return ilrecObjective(
        {
          finalLogits: logits(hidden),
          ensembleLogits: logits(intermediate),
          intermediateLogits: null,
          labels: tf.tensor1d(labels, 'int32'),
          reward: null,
        },
        options,
      ).total;
    };
    return [streamed, dense].map((loss) => {
      const { value, grad } = tf.valueAndGrad(loss)(final);
      return [value, grad];
    });
  });
  const numbers = await Promise.all(
    found.map(async ([value, grad]) => ({ value: (await value.data())[0], gradient: await grad.data<'float32'>() })),
  );
  tf.dispose(found);
  return numbers;
}

describe('penalisedPass', () => {
  forEachDevice(() => {
    for (const penalty of ['scale', 'paper', 'additive'] as const) {
      it(`is exact where one negative has nearly all the weight, and a logit near 0 (${penalty})`, async () => {
        const [first, second] = [normals(V, 1, 0.1), normals(V, 2, 0.1)];
        first[7] = 1.3e-4; // alpha w s stays small, alpha w does not
        second[7] = 8;
        const options = {
          penaltyWeight: 30,
          penalty,
          thresholdScale: 1e-6,
          thresholdReference: 'final',
          distillationWeight: 0,
          rewardWeight: 0,
        } as const;
        const [streamed, dense] = await bothWays(first, second, options);
        expect(streamed.value).to.be.closeTo(dense.value, 2e-5 * Math.abs(dense.value));
        expect(maxDifference(streamed.gradient, dense.gradient)).to.be.below(
          2e-5 * Math.max(1e-3, ...dense.gradient.map(Math.abs)),
        );
      });
    }

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      for (const penaltyWeight of [0.7, 3000]) {
        const options = {
          penaltyWeight,
          penalty: 'scale',
          thresholdScale: 1e-6,
          thresholdReference: 'final',
          distillationWeight: 0,
          rewardWeight: 0,
        } as const;
        await bothWays(normals(V, 5), normals(V, 6, 0.3), options);
      }
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('is right to first order where many negatives share the weight', async () => {
      const options = {
        penaltyWeight: 0.7,
        penalty: 'scale',
        thresholdScale: 1e-6,
        thresholdReference: 'final',
        distillationWeight: 0,
        rewardWeight: 0,
      } as const;
      const [streamed, dense] = await bothWays(normals(V, 3), normals(V, 4, 0.3), options);
      expect(streamed.value).to.be.closeTo(dense.value, 1e-5);
      expect(maxDifference(streamed.gradient, dense.gradient)).to.be.below(1e-5);
    });
  });
});
