import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { causalItemScorer } from '../../src/models/causal_item_scorer';
import { disposeModel } from '../../src/models/dispose_model';
import { popularityScorer } from '../../src/models/popularity';
import { grpo, type GrpoOptions } from '../../src/tapped/grpo';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { forEachDevice } from '../support/backends';
import { messageOf } from '../support/folders';
import { itemBatch, itemInputs, itemStep, places, weightsNow, withEntry } from '../support/item_batches';
import { itemModel, itemModelReference, NUM_ITEMS as N } from '../support/item_models';
import { groupAdvantagesReference, grpoReference } from '../support/preference_reference';
import { integers } from '../support/random';
import { centralDifferences, logSumExp, mean, type Rows } from '../support/reference';
import type { Weights } from '../support/reference_decoder';

const GROUP = 5;

/** Log-probabilities of all items at each position, in float64; those left out have none. */
function logProbsIn(weights: Weights, seen: GrpoOptions['seen']): number[][] {
  const { batchSize, sequenceLength, inputIds } = itemBatch;
  const repeatBias = (weights.get('embed_tokens/repeat_bias') as Rows | undefined)?.[0][0] ?? 0;
  const rows = Array.from({ length: batchSize }, (_, b) =>
    itemModelReference(weights, [...inputIds.slice(b * sequenceLength, (b + 1) * sequenceLength)]),
  );
  return places.map(({ row, column, label, seen: before }) => {
    const scores = rows[row].scores[column].map((score, item) => {
      if (!before.includes(item)) return score;
      return seen === 'exclude' && item !== label ? -Infinity : score + repeatBias;
    });
    const total = logSumExp(scores);
    return scores.map((score) => score - total);
  });
}

/** The G best items of each position. */
function bestOf(logProbs: readonly number[][]): number[][] {
  return logProbs.map((row) => [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, GROUP));
}

/** The advantages of each position's group. */
function advantagesOf(groups: readonly number[][], ranks: boolean): number[] {
  return groupAdvantagesReference(
    groups.map((items, p) => items.map((item) => item === places[p].label)),
    ranks,
  );
}

const at = (logProbs: readonly number[][], groups: readonly number[][]): number[] =>
  groups.flatMap((items, p) => items.map((item) => logProbs[p][item]));

describe('grpo', () => {
  forEachDevice(() => {
    const lossOf = async (method: TappedMethod, model: ReturnType<typeof itemModel>): ReturnType<typeof itemStep> => {
      method.attach(model);
      const step = await itemStep(method, model);
      method.detach();
      return step;
    };

    it('has the loss and the gradients of the model in float64', async () => {
      const [model, start] = [
        itemModel({ items: { useRepeatBias: true } }),
        itemModel({ seed: 9, items: { useRepeatBias: true } }),
      ];
      const [weights, frozen] = [await weightsNow(model), await weightsNow(start)];
      for (const [seen, rankReward] of [
        ['allow', true],
        ['exclude', false],
      ] as const) {
        const klWeight = 0.3;
        const method = grpo({ reference: causalItemScorer(start), groupSize: GROUP, klWeight, rankReward, seen });
        const { loss, gradients } = await lossOf(method, model);
        const old = logProbsIn(weights, seen);
        const groups = bestOf(old);
        const [referred, advantages] = [at(logProbsIn(frozen, seen), groups), advantagesOf(groups, rankReward)];
        const mask = referred.map(() => 1);
        const inFloat64 = (of: Weights): number =>
          grpoReference(at(logProbsIn(of, seen), groups), at(old, groups), referred, mask, advantages, klWeight);
        expect(loss, seen).to.be.closeTo(inFloat64(weights), 2e-5);
        for (const [i, [name, gradient]] of [...gradients].entries()) {
          const [flat] = integers(1, gradient.length, i);
          const value = (x: Float64Array): number => inFloat64(withEntry(weights, name, flat, x[0]));
          const [numeric] = centralDifferences(value, [weights.get(name)?.flat()[flat] as number]);
          expect(gradient[flat], `${seen} ${name}`).to.be.closeTo(numeric, 3e-5 * Math.max(1, Math.abs(numeric)));
        }
      }
      disposeModel(model);
      disposeModel(start);
    });

    it('raises the target among what it lists, and leaves no tensor behind', async () => {
      const [model, start] = [itemModel(), itemModel()];
      const method = grpo({ reference: causalItemScorer(start), groupSize: 11 });
      model.compile({ optimizer: tf.train.sgd(0.2), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      const { xs, ys } = itemInputs();
      const labels = (weights: Weights): number =>
        mean(logProbsIn(weights, 'allow').map((row, p) => row[places[p].label]));
      const begins = labels(await weightsNow(model));
      const [, hitRatio, kl] = (await model.trainOnBatch(xs, ys)) as number[];
      const hits = bestOf(logProbsIn(await weightsNow(start), 'allow'));
      expect(hitRatio).to.be.at.least(
        hits.filter((items, p) => items.includes(places[p].label)).length / places.length,
      );
      expect(kl).to.be.closeTo(0, 1e-5); // the reference is where it began
      const before = tf.memory().numTensors;
      for (let i = 0; i < 5; i++) await model.trainOnBatch(xs, ys);
      expect(tf.memory().numTensors).to.equal(before);
      expect(labels(await weightsNow(model))).to.be.above(begins + 0.2);
      method.detach();
      tf.dispose([xs, ys]);
      disposeModel(model);
      disposeModel(start);
    });

    it('refuses what does not fit, in one sentence', async () => {
      const model = itemModel();
      const reference = causalItemScorer(model);
      expect(() => grpo({} as GrpoOptions)).to.throw('grpo: reference must be a scorer of items, got undefined');
      expect(() => grpo({ reference, groupSize: 1 })).to.throw(
        'grpo: groupSize must be a whole number of at least 2, got 1',
      );
      expect(() => grpo({ reference, klWeight: -1 })).to.throw('grpo: klWeight must be 0 or more, got -1');
      expect(await messageOf(lossOf(grpo({ reference, groupSize: 14 }), model))).to.equal(
        'grpo: groupSize must be at most the 13 items that may be listed, got 14',
      );
      const other = popularityScorer([[1]], N + 1);
      expect(await messageOf(lossOf(grpo({ reference: other }), model))).to.equal(
        "grpo: reference must score the model's 13 items, got 14",
      );
      disposeModel(model);
    });
  });
});
