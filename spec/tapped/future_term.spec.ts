import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { ilrec } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { validItems } from '../../src/rewards/valid_items';
import { sft, type SftOptions } from '../../src/tapped/sft';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { forEachBackend } from '../support/backends';
import { maxDifference, mean } from '../support/reference';

const trie = buildPrefixTrie([
  [3, 5],
  [3, 6],
  [4, 5],
]);
const V = 7;
const WEIGHT = 0.6;
/** The items 0, 1, 2 after a start token, and what may come next at each of their tokens. */
const INPUT_IDS = [1, 3, 5, 3, 6, 4];
const LABELS = [3, 5, 3, 6, 4, 5];
const MASSES = [{ 3: 6 / 7, 4: 1 / 7 }, { 5: 2 / 3, 6: 1 / 3 }, { 3: 2 / 3, 4: 1 / 3 }, { 6: 1 }, { 4: 1 }, { 5: 1 }];

interface Step {
  readonly loss: number;
  readonly gradients: Float32Array[];
  readonly logits: number[][];
}

async function step(method: TappedMethod, tieEmbeddings = true): Promise<Step> {
  const model = causalLM({
    vocabSize: V,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    initializerRange: 0.4,
    tieWordEmbeddings: tieEmbeddings,
    seed: 3,
  });
  const xs = tf.tensor2d([INPUT_IDS], undefined, 'int32');
  const ys = tf.tensor2d([LABELS], undefined, 'int32');
  const predicted = model.predict(xs) as tf.Tensor3D;
  const logits = (await predicted.array())[0];
  method.attach(model);
  const before = tf.memory().numTensors;
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const { value, grads } = tf.variableGrads(
    () => method.loss(ys, model.apply(xs, { training: true }) as tf.Tensor),
    variables,
  );
  const gradients = await Promise.all(variables.map(({ name }) => grads[name].data<'float32'>()));
  const loss = (await value.data())[0];
  tf.dispose([value, grads]);
  method.detach();
  expect(tf.memory().numTensors).to.be.at.most(before);
  tf.dispose([xs, ys, predicted]);
  model.dispose();
  return { loss, gradients, logits };
}

/** (1 - f) CE(y) + f CE(c), in float64, over the tokens that count. */
function lossOf(logits: readonly number[][], allowed?: readonly number[][]): number {
  return mean(
    logits.map((row, p) => {
      const counted = allowed?.[p] ?? row.map((_, v) => v);
      const lse = Math.log(counted.reduce((sum, v) => sum + Math.exp(row[v]), 0));
      const future = Object.entries(MASSES[p]).reduce((sum, [v, mass]) => sum + mass * (lse - row[Number(v)]), 0);
      return (1 - WEIGHT) * (lse - row[LABELS[p]]) + WEIGHT * future;
    }),
  );
}

describe('next items as targets of a model that writes them in several tokens', () => {
  const futureTargets = { weight: WEIGHT, trie };

  forEachBackend(() => {
    it('are the cross-entropy of their tokens, tied or not', async () => {
      for (const tied of [true, false]) {
        const { loss, logits } = await step(sft({ futureTargets }), tied);
        expect(loss).to.be.closeTo(lossOf(logits), 1e-5);
      }
    });

    it('have the gradient that grows with their weight', async () => {
      const options: SftOptions = { futureTargets };
      const plain = await step(sft());
      const whole = await step(sft(options));
      const half = await step(sft({ futureTargets: { ...futureTargets, weight: WEIGHT / 2 } }));
      // linear in the weight
      whole.gradients.forEach((gradient, i) =>
        expect(
          maxDifference(
            gradient.map((g, j) => (g + plain.gradients[i][j]) / 2),
            half.gradients[i],
          ),
        ).to.be.below(1e-6),
      );
      expect(maxDifference(whole.gradients[0], plain.gradients[0])).to.be.above(1e-3);
    });

    it('count within valid tokens, and beside the terms of ilrec', async () => {
      const restrictTo = validItems({ trie });
      const allowed = [[3, 4], [5, 6], [3, 4], [5, 6], [3, 4], [5]];
      const restricted = await step(sft({ futureTargets, restrictTo }));
      expect(restricted.loss).to.be.closeTo(lossOf(restricted.logits, allowed), 1e-5);
      const off = { penaltyWeight: 0, distillationWeight: 0, numNegativeLayers: 1 };
      const own = await step(ilrec({ ...off, futureTargets }));
      expect(own.loss).to.be.closeTo(lossOf(own.logits), 1e-5);
      const terms = { penaltyWeight: 1, distillationWeight: 0.3, numNegativeLayers: 1 };
      const beside = await step(ilrec({ ...terms, futureTargets }));
      const without = await step(ilrec(terms));
      const plain = await step(sft());
      expect(beside.loss - without.loss).to.be.closeTo(own.loss - plain.loss, 1e-5);
    });
  });

  it('refuse what does not go together', () => {
    expect(() => sft({ futureTargets, itemSoftmax: { seen: 'exclude' } })).to.throw(
      'sft: futureTargets.trie is for models that write an item in several tokens, got it beside itemSoftmax; leave one out',
    );
    expect(() => ilrec({ futureTargets: { ...futureTargets, historyOf: () => null } })).to.throw(
      'ilrec: futureTargets.historyOf and futureTargets.sequences must be set together',
    );
  });
});
