import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { resumeFrom } from '../../src/callbacks/resume_from';
import { checkpointing } from '../../src/callbacks/checkpointing';
import type { SnapshotStore } from '../../src/checkpoints/snapshot_store';
import type { TrainingSnapshot } from '../../src/checkpoints/training_snapshot';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import type { RewardContext } from '../../src/losses/reward';
import { causalLM } from '../../src/models/causal_lm';
import { disposeModel } from '../../src/models/dispose_model';
import { markovScorer } from '../../src/models/markov';
import { AdamW } from '../../src/optimizers/adamw';
import { trieReward } from '../../src/rewards/trie_reward';
import { validItems } from '../../src/rewards/valid_items';
import { sft, type SftOptions } from '../../src/tapped/sft';
import { tca4rec, type Tca4RecOptions } from '../../src/tapped/tca4rec';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { createBatches } from '../../src/training/batches';
import { trainModel } from '../../src/training/train_model';
import { forEachBackend, forEachDevice } from '../support/backends';
import { alignmentOf, maskedSoftmaxOf, temperatureOf } from '../support/generative_reference';
import {
  type ItemLossOptions,
  itemLossReference,
  itemStep,
  preparedReward,
  weightsNow,
  withEntry,
} from '../support/item_batches';
import { itemModel } from '../support/item_models';
import { integers } from '../support/random';
import { centralDifferences, maxDifference, mean, type Rows, toRows } from '../support/reference';

/** Six first tokens, 3 to 8; of the items, some share the first token. */
const SEQUENCES = [
  [3, 9],
  [3, 10],
  [4, 9],
  [5, 9],
  [5, 10],
  [6, 10],
  [7, 9],
  [8, 10],
];
const trie = buildPrefixTrie(SEQUENCES);
const V = 11;
/** The items 0, 4 and 2 after a start token. */
const INPUT_IDS = [1, 3, 9, 5, 10, 4];
const LABELS = [3, 9, 5, 10, 4, 9];
const FIRST = [3, 4, 5, 6, 7, 8];
const ALLOWED = [FIRST, [9, 10], FIRST, [9, 10], FIRST, [9]];
const allowedRows: Rows = ALLOWED.map((open) => Array.from({ length: V }, (_, v) => Number(open.includes(v))));
const scorer = markovScorer(
  [
    [0, 4, 2],
    [0, 1, 4],
    [4, 2, 5],
  ],
  SEQUENCES.length,
);
const context: RewardContext = {
  inputIds: Int32Array.from(INPUT_IDS),
  labels: Int32Array.from(LABELS),
  batchSize: 1,
  sequenceLength: 6,
  positions: Int32Array.from(LABELS.keys()),
  vocabSize: V,
};

function smallModel(): tfl.LayersModel {
  return causalLM({
    vocabSize: V,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    initializerRange: 0.5,
    seed: 3,
  });
}

/** Loss of a training pass, and the logits that the float64 references read. */
async function measure(method: TappedMethod, passes = 1): Promise<{ losses: number[]; logits: Rows }> {
  const model = smallModel();
  const [xs, ys] = [INPUT_IDS, LABELS].map((row) => tf.tensor2d([row], undefined, 'int32'));
  const predicted = model.predict(xs) as tf.Tensor3D;
  const logits = toRows(await predicted.data(), V);
  const before = tf.memory().numTensors;
  method.attach(model);
  const losses: number[] = [];
  for (let pass = 0; pass < passes; pass++) {
    const loss = tf.tidy(() => method.loss(ys, model.apply(xs, { training: true }) as tf.Tensor));
    losses.push((await loss.data())[0]);
    loss.dispose();
  }
  await method.state?.read();
  method.detach();
  await Promise.resolve(); // WebGPU frees the temperature when it has read it
  expect(tf.memory().numTensors).to.be.at.most(before);
  tf.dispose([xs, ys, predicted]);
  model.dispose();
  return { losses, logits };
}

const restrictTo = validItems({ trie });

describe('sft with a temperature', () => {
  forEachBackend(() => {
    it('is MSL over the tokens with which an item goes on', async () => {
      for (const temperature of [1, 2.5]) {
        const { losses, logits } = await measure(sft({ restrictTo, temperature }));
        expect(losses[0]).to.be.closeTo(maskedSoftmaxOf(logits, LABELS, allowedRows, temperature), 1e-5);
      }
    });

    it('adapts the temperature to each training batch, and multiplies the loss with it', async () => {
      const options = { initial: 2, rate: 0.5, min: 0.05, max: 50, labelProbability: 0.5 };
      const method = sft({ restrictTo, temperature: options });
      const { losses, logits } = await measure(method, 2);
      const wanted = temperatureOf(logits, LABELS, allowedRows, FIRST.length, 0.5);
      const solved = Math.min(50, Math.max(0.05, wanted));
      let tau = 2;
      for (const loss of losses) {
        tau = 0.5 * tau + 0.5 * solved;
        expect(loss).to.be.closeTo(tau * maskedSoftmaxOf(logits, LABELS, allowedRows, tau), 1e-4);
      }
      expect(await method.state?.read()).to.be.closeTo(tau, 1e-5);
      expect(method.metrics.map(({ name }) => name)).to.deep.equal(['crossEntropy', 'temperature']);
    });

    it('resumes with the temperature that it had, bit for bit', async () => {
      const whole = await train(6);
      const stopped = await train(3);
      const resumed = await train(6, stopped.snapshot);
      expect(resumed.weights).to.deep.equal(whole.weights);
      expect(resumed.temperature).to.equal(whole.temperature);
      expect(stopped.temperature).to.not.equal(whole.temperature);
    });
  });

  it('refuses what has no temperature, or cannot adapt it', () => {
    expect(() => sft({ temperature: 2 })).to.throw(
      'sft: temperature needs restrictTo or itemSoftmax, got neither; restrict it to validItems(...)',
    );
    expect(() => sft({ restrictTo, temperature: 0 })).to.throw('sft: temperature must be above 0, got 0; 1 is');
    expect(() => sft({ itemSoftmax: {}, temperature: {} })).to.throw(
      'sft: temperature must be a number above 0 for a softmax over items, got options; an adaptive one is for models that write an item in several tokens',
    );
    expect(() => sft({ restrictTo: (given) => restrictTo(given), temperature: {} })).to.throw(
      'sft: an adaptive temperature needs restrictTo with numFirstTokens, such as validItems(...), got none; give the temperature as a number',
    );
    expect(() => sft({ restrictTo, temperature: { labelProbability: 0.1 } })).to.throw(
      'adaptiveTemperature: more than 10 tokens must be able to begin an item',
    );
    expect(() => sft({ restrictTo, temperature: { tau: 1 } as object })).to.throw(
      'sft: fields of temperature must be among initial, labelProbability, rate, min, max, got tau',
    );
    expect(() => sft({ restrictTo, temperature: 1, futureTargets: { weight: 0.5, trie } })).to.throw(
      'sft: temperature must not be set beside futureTargets of tokens; leave one out',
    );
  });
});

/** Trains a few steps with an adaptive temperature, from a snapshot if there is one. */
async function train(
  epochs: number,
  from: TrainingSnapshot | null = null,
): Promise<{ weights: number[][]; temperature: unknown; snapshot: TrainingSnapshot }> {
  const kept: { snapshot: TrainingSnapshot | null } = { snapshot: from };
  const store = {
    loadLatest: async () => kept.snapshot,
    save: async (snapshot: TrainingSnapshot) => void (kept.snapshot = snapshot),
  } as unknown as SnapshotStore;
  const model = smallModel();
  const method = sft({ restrictTo, temperature: { initial: 3, rate: 0.3, labelProbability: 0.5 } });
  const optimizer = new AdamW({ learningRate: 0.05 });
  const startStep = await resumeFrom(store, { model, optimizer, method });
  const batches = createBatches({
    sequences: [
      [0, 4, 2],
      [5, 1],
    ],
    itemTokens: SEQUENCES,
    batchSize: 2,
  });
  await trainModel({
    model,
    method,
    optimizer,
    batches,
    epochs,
    startStep,
    callbacks: [checkpointing({ store, method })],
  });
  const weights = model.getWeights().map((weight) => [...weight.dataSync()]);
  const temperature = await method.state?.read();
  optimizer.dispose();
  model.dispose();
  return { weights, temperature, snapshot: kept.snapshot as TrainingSnapshot };
}

describe('tca4rec', () => {
  const reward = trieReward({ scorer, trie });

  forEachBackend(() => {
    it('is the loss of TCA4Rec over all tokens, and over those with which an item goes on', async () => {
      const masses = tf.tidy(() => reward(context).dataSync());
      const rows = toRows(masses, V);
      const cases: Partial<Tca4RecOptions>[] = [
        {},
        { collaborativeWeight: 0.7, temperature: 2 },
        { restrictTo },
        { restrictTo, collaborativeWeight: 0.4, temperature: 0.5 },
      ];
      for (const options of cases) {
        const { losses, logits } = await measure(tca4rec({ reward, ...options }));
        const { collaborativeWeight: weight = 0.1, temperature = 1 } = options;
        const allowed = options.restrictTo === undefined ? null : allowedRows;
        expect(losses[0]).to.be.closeTo(alignmentOf(logits, LABELS, rows, { weight, temperature, allowed }), 1e-5);
      }
    });

    it('is sft without the collaborative model', async () => {
      const [plain, off] = [await measure(sft()), await measure(tca4rec({ reward, collaborativeWeight: 0 }))];
      expect(off.losses[0]).to.be.closeTo(plain.losses[0], 1e-5);
      const masked = await measure(sft({ restrictTo, temperature: 1.5 }));
      const maskedOff = await measure(tca4rec({ reward, restrictTo, collaborativeWeight: 0, temperature: 1.5 }));
      expect(maskedOff.losses[0]).to.be.closeTo(masked.losses[0], 1e-5);
    });

    it('learns, and tells the cross-entropy of the labels', async () => {
      const model = smallModel();
      const method = tca4rec({ reward, restrictTo });
      model.compile({ optimizer: tf.train.adam(0.02), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      const [xs, ys] = [INPUT_IDS, LABELS].map((row) => tf.tensor2d([row], undefined, 'int32'));
      const { history } = await model.fit(xs, ys, { epochs: 5, verbose: 0 });
      method.detach();
      expect(mean(history.loss.slice(3) as number[])).to.be.below(history.loss[0] as number);
      expect(history.crossEntropy[4]).to.be.below(history.crossEntropy[0] as number);
      tf.dispose([xs, ys]);
      model.dispose();
    });
  });

  it('refuses what does not go together, and options out of range', () => {
    expect(() => tca4rec({ reward, restrictTo, itemSoftmax: {} })).to.throw(
      'tca4rec: restrictTo must not be set beside itemSoftmax: every token is an item; leave it out',
    );
    expect(() => tca4rec({} as Tca4RecOptions)).to.throw(
      'tca4rec: reward must be a function, got undefined; trieReward(...) makes one',
    );
    expect(() => tca4rec({ reward, collaborativeWeight: 2 })).to.throw(
      'tca4rec: collaborativeWeight must be from 0 to 1, got 2',
    );
    expect(() => tca4rec({ reward, temperature: -1 })).to.throw('tca4rec: temperature must be above 0, got -1; 1 is');
    expect(() => tca4rec({ reward, alpha: 1 } as Tca4RecOptions)).to.throw('tca4rec: options must be among reward,');
  });
});

describe('the losses over items', () => {
  interface ItemCase {
    readonly name: string;
    readonly options: ItemLossOptions;
    readonly method: (options: ItemLossOptions) => Promise<TappedMethod>;
  }
  const msl = async ({ itemSoftmax = {}, temperature }: ItemLossOptions): Promise<TappedMethod> =>
    sft({ itemSoftmax, temperature } as SftOptions);
  const aligned = async ({ itemSoftmax = {}, temperature, alignmentWeight }: ItemLossOptions): Promise<TappedMethod> =>
    tca4rec({ reward: await preparedReward(), itemSoftmax, temperature, collaborativeWeight: alignmentWeight });
  const sampled = { sampledItems: 4, seed: 7 };
  const cases: readonly ItemCase[] = [
    { name: 'msl', options: { temperature: 2.5 }, method: msl },
    { name: 'msl, a sample and a repeat bias', options: { temperature: 2.5, itemSoftmax: sampled }, method: msl },
    { name: 'tca4rec', options: { temperature: 1, alignmentWeight: 0.3 }, method: aligned },
    {
      name: 'tca4rec, a sample without items seen, and a repeat bias',
      options: { temperature: 3, alignmentWeight: 0.3, itemSoftmax: { ...sampled, seen: 'exclude' } },
      method: aligned,
    },
  ];

  forEachDevice(() => {
    for (const { name, options, method: make } of cases)
      it(`equals the float64 reference, with the gradient of central differences: ${name}`, async () => {
        const model = itemModel({ items: { useRepeatBias: options.itemSoftmax !== undefined } });
        const weights = await weightsNow(model);
        const method = await make(options);
        method.attach(model);
        const { loss, gradients } = await itemStep(method, model);
        method.detach();
        expect(loss).to.be.closeTo(itemLossReference(weights, options).total, 1e-5);
        for (const [at, [weight, gradient]] of [...gradients].entries()) {
          const places = [...integers(1, gradient.length, at)];
          const numeric = places.map((flat) => {
            const value = (x: Float64Array): number =>
              itemLossReference(withEntry(weights, weight, flat, x[0]), options).total;
            return centralDifferences(value, [weights.get(weight)?.flat()[flat] as number])[0];
          });
          const found = places.map((flat) => gradient[flat]);
          expect(maxDifference(found, numeric), weight).to.be.below(1e-5);
        }
        disposeModel(model);
      });
  });
});
