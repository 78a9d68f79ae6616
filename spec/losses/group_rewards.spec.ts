import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { groupAdvantages, rankReward, ruleReward } from '../../src/losses';
import { forEachDevice } from '../support/backends';
import { readGoldenPreference } from '../support/preference_reference';
import { maxDifference } from '../support/reference';

async function values(make: () => tf.Tensor): Promise<Float32Array> {
  const tensor = tf.tidy(make);
  return await tensor.data<'float32'>().finally(() => tensor.dispose());
}

describe('rewards of a group', () => {
  forEachDevice(() => {
    it('become advantages: the distance from the mean in standard deviations', async () => {
      // mean 1/4, std sqrt((9 + 1 + 1 + 1) / 16 / 3) = 1/2
      const found = await values(() => groupAdvantages(tf.tensor2d([[1, 0, 0, 0]])));
      expect(maxDifference(found, [1.5, -0.5, -0.5, -0.5])).to.be.below(1e-3); // the 1e-4 in the denominator
    });

    it('become advantages of 0 where all are equal', async () => {
      expect([...(await values(() => groupAdvantages(tf.fill([2, 3], 0.25))))]).to.deep.equal([0, 0, 0, 0, 0, 0]);
    });

    it("become TRL's advantages", async () => {
      const { shape, rewards, advantages } = readGoldenPreference().advantages;
      const found = await values(() => groupAdvantages(tf.tensor2d([...rewards], [...shape])));
      expect(maxDifference(found, advantages)).to.be.below(1e-5);
    });

    it('are 1 for the target by the rule, else 0', async () => {
      const found = await values(() =>
        ruleReward(
          tf.tensor2d(
            [
              [7, 3, 5],
              [1, 2, 4],
            ],
            [2, 3],
            'int32',
          ),
          tf.tensor1d([3, 9], 'int32'),
        ),
      );
      expect([...found]).to.deep.equal([0, 1, 0, 0, 0, 0]);
    });

    it('are lower the higher a miss is ranked, in groups with the target alone', async () => {
      // w = 1, 1 / log2(3), 1 / 2
      const weights = [1, 1 / Math.log2(3), 1 / 2];
      const total = weights[0] + weights[1] + weights[2];
      const found = await values(() =>
        rankReward(
          tf.tensor2d([
            [0, 1, 0],
            [0, 0, 0],
          ]),
        ),
      );
      expect(maxDifference(found, [-1 / total, 0, -0.5 / total, 0, 0, 0])).to.be.below(1e-6);
    });
  });
});
