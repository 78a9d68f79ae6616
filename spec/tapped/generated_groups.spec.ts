import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import type { CausalDecoder } from '../../src/generation/decoder';
import { createModelDecoder } from '../../src/generation/model_decoder';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { causalItemScorer } from '../../src/models/causal_item_scorer';
import { causalLM } from '../../src/models/causal_lm';
import { disposeModel } from '../../src/models/dispose_model';
import { AdamW } from '../../src/optimizers/adamw';
import { validItems } from '../../src/rewards/valid_items';
import { grpo, type GrpoTokenOptions } from '../../src/tapped/grpo';
import type { TappedMethod } from '../../src/tapped/tapped_method';
import { toTensors } from '../../src/training/batch_dataset';
import type { Batch } from '../../src/training/batches';
import { groupBatches } from '../../src/training/group_batches';
import { trainModel } from '../../src/training/train_model';
import { forEachDevice } from '../support/backends';
import { messageOf } from '../support/folders';
import { itemStep, weightsNow, withEntry } from '../support/item_batches';
import { itemModel, NUM_ITEMS } from '../support/item_models';
import { groupAdvantagesReference, grpoReference } from '../support/preference_reference';
import { integers } from '../support/random';
import { centralDifferences, logSumExp, maxDifference } from '../support/reference';
import { referenceDecoder, type Weights } from '../support/reference_decoder';

const [V, GROUP, BOS] = [13, 4, 1];
/** Items of one to three tokens; 1 and 10 share theirs, and that of 11 begins others. No level has more than G nodes. */
const itemTokens = [
  [3, 7],
  [3, 8],
  [3, 9, 10],
  [4, 7],
  [4, 9],
  [5, 7, 11],
  [5, 7, 12],
  [5, 8],
  [6, 10],
  [6, 11],
  [3, 8],
  [4],
];
const trie = buildPrefixTrie(itemTokens);
/** Histories and targets; the last row's target has been chosen before. */
const examples: readonly (readonly [number[], number])[] = [
  [[0, 1], 10],
  [[7, 8, 3], 6],
  [[4, 9], 11],
  [[5, 2, 5], 2],
];
const SIZES = { numHiddenLayers: 2, numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };

function languageModel(seed: number): tfl.LayersModel {
  return causalLM({
    vocabSize: V,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    initializerRange: 0.4,
    seed,
  });
}

const promptOf = (history: readonly number[]): number[] => [BOS, ...history.flatMap((item) => itemTokens[item])];

const questions = groupBatches({
  numGroups: examples.length,
  groupAt: (index) => ({ prompt: promptOf(examples[index][0]), responses: [itemTokens[examples[index][1]]] }),
  padTokenId: 0,
  groupsPerBatch: examples.length,
});
const [batch] = questions.batchesOf(0);

/** The tokens of each row up to its response, and the response. */
function rowsOf({ inputIds, labels, batchSize, sequenceLength }: Batch): { prompt: number[]; response: number[] }[] {
  return Array.from({ length: batchSize }, (_, row) => {
    const [start, end] = [row * sequenceLength, (row + 1) * sequenceLength];
    const first = labels.findIndex((label, at) => at >= start && label >= 0);
    return {
      prompt: [...inputIds.slice(start, first + 1)],
      response: [...labels.slice(first, end)].filter((label) => label >= 0),
    };
  });
}

/** Log-probability of each token of a response, in float64; over tokens that go on with an item where `restricted`. */
function tokensIn(
  weights: Weights,
  prompt: readonly number[],
  response: readonly number[],
  restricted = false,
): number[] {
  const { logits } = referenceDecoder(weights, SIZES, [...prompt, ...response.slice(0, -1)]);
  return response.map((token, t) => {
    const row = logits[prompt.length - 1 + t];
    const prefix = response.slice(0, t).join();
    const going = itemTokens.filter((tokens) => tokens.length > t && tokens.slice(0, t).join() === prefix);
    return row[token] - logSumExp(restricted ? [...new Set(going.map((tokens) => tokens[t]))].map((v) => row[v]) : row);
  });
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** The sequences that are best in float64, best first. */
function bestOf(
  weights: Weights,
  prompt: readonly number[],
  allowed: readonly number[],
  restricted: boolean,
): string[] {
  const sequences = [...new Set(allowed.map((item) => itemTokens[item].join()))];
  const scores = sequences.map((tokens) => total(tokensIn(weights, prompt, tokens.split(',').map(Number), restricted)));
  return [...sequences.keys()]
    .sort((a, b) => scores[b] - scores[a])
    .slice(0, GROUP)
    .map((at) => sequences[at]);
}

describe('grpo of a model that writes an item in several tokens', () => {
  forEachDevice(() => {
    const method = (options: Partial<GrpoTokenOptions> & Pick<GrpoTokenOptions, 'reference'>): TappedMethod =>
      grpo({ trie, groupSize: GROUP, klWeight: 0.3, ...options });
    const prepared = async (of: TappedMethod, model: tfl.LayersModel, given = batch): Promise<Batch> =>
      (await of.prepareBatch?.(given, model)) as Batch;
    const stepOf = async (of: TappedMethod, model: tfl.LayersModel, rows: Batch): ReturnType<typeof itemStep> => {
      of.attach(model);
      return await itemStep(of, model, toTensors(rows));
    };

    it('has the groups, the loss and the gradients of the model in float64', async () => {
      const [model, start] = [languageModel(3), languageModel(9)];
      const [weights, frozen] = [await weightsNow(model), await weightsNow(start)];
      const cases: Partial<GrpoTokenOptions>[] = [
        {},
        { seen: 'exclude', rankReward: false },
        { restrictTo: validItems({ trie }) },
      ];
      for (const options of cases) {
        const restricted = options.restrictTo !== undefined;
        const own = method({ reference: start, ...options });
        const rows = await prepared(own, model);
        const written = rowsOf(rows);
        const asked = rowsOf(batch);
        const hits = asked.map(({ prompt, response }, q) => {
          const [history] = examples.find(
            ([items]) => promptOf(items).join() === prompt.join(),
          ) as (typeof examples)[0];
          const allowed = [...itemTokens.keys()].filter(
            (item) =>
              options.seen !== 'exclude' || !history.includes(item) || itemTokens[item].join() === response.join(),
          );
          const group = written.slice(q * GROUP, (q + 1) * GROUP);
          expect(group.map((row) => row.prompt)).to.deep.equal(group.map(() => prompt));
          const best = bestOf(weights, prompt, allowed, restricted);
          expect(group.map((row) => row.response.join())).to.deep.equal(best);
          return best.map((tokens) => tokens === response.join());
        });
        const { loss, gradients } = await stepOf(own, model, rows);
        own.detach();
        const longest = Math.max(...written.map(({ response }) => response.length));
        const padded = (of: (row: (typeof written)[0]) => number[]): number[] =>
          written.flatMap((row) => [...of(row), ...Array<number>(longest).fill(0)].slice(0, longest));
        const mask = padded(({ response }) => response.map(() => 1));
        const logProbs = (of: Weights): number[] =>
          padded(({ prompt, response }) => tokensIn(of, prompt, response, restricted));
        const advantages = groupAdvantagesReference(hits, options.rankReward ?? true);
        const [old, referred] = [logProbs(weights), logProbs(frozen)];
        const inFloat64 = (of: Weights): number => grpoReference(logProbs(of), old, referred, mask, advantages, 0.3);
        expect(loss).to.be.closeTo(inFloat64(weights), 3e-5);
        for (const [i, [name, gradient]] of [...gradients].entries()) {
          const [flat] = integers(1, gradient.length, i);
          const value = (x: Float64Array): number => inFloat64(withEntry(weights, name, flat, x[0]));
          const [numeric] = centralDifferences(value, [weights.get(name)?.flat()[flat] as number]);
          expect(gradient[flat], name).to.be.closeTo(numeric, 3e-5 * Math.max(1, Math.abs(numeric)));
        }
      }
      disposeModel(model);
      disposeModel(start);
    });

    it('has a ratio of 1 at the reference, where the loss is minus the mean advantage: 0', async () => {
      const [model, start] = [languageModel(3), languageModel(3)];
      const own = method({ reference: start, klWeight: 50 });
      expect((await stepOf(own, model, await prepared(own, model))).loss).to.be.closeTo(0, 1e-4);
      own.detach();
      disposeModel(model);
      disposeModel(start);
    });

    it('has only its KL term where all rewards are equal', async () => {
      const [model, start] = [languageModel(3), languageModel(9)];
      const weights = await weightsNow(model);
      // the targets are the worst items, so that no group holds one
      const far = groupBatches({
        numGroups: examples.length,
        groupAt: (index) => {
          const prompt = promptOf(examples[index][0]);
          const score = (item: number): number => total(tokensIn(weights, prompt, itemTokens[item]));
          const [worst] = [...itemTokens.keys()].sort((a, b) => score(a) - score(b));
          return { prompt, responses: [itemTokens[worst]] };
        },
        padTokenId: 0,
      });
      const [without] = far.batchesOf(0);
      const losses: number[] = [];
      for (const klWeight of [0, 0.5, 1]) {
        const own = method({ reference: start, klWeight });
        losses.push((await stepOf(own, model, await prepared(own, model, without))).loss);
        own.detach();
      }
      expect(losses[0]).to.equal(0);
      expect(losses[2]).to.be.above(0.01);
      expect(losses[1]).to.be.closeTo(losses[2] / 2, 1e-5);
      disposeModel(model);
      disposeModel(start);
    });

    it('is that of item tokens where every item is one token', async () => {
      const [model, start] = [itemModel(), itemModel({ seed: 9 })];
      const oneToken = buildPrefixTrie(Array.from({ length: NUM_ITEMS }, (_, item) => [item]));
      const histories = [
        [2, 7],
        [0, 5, 11],
        [4, 4],
      ];
      const [rows] = groupBatches({
        numGroups: histories.length,
        groupAt: (index) => ({ prompt: [NUM_ITEMS, ...histories[index]], responses: [[3 * index + 1]] }),
        padTokenId: NUM_ITEMS,
      }).batchesOf(0);
      /** Reads the start token, too, for which the head has no score. */
      const createDecoder = (of: tfl.LayersModel): CausalDecoder => {
        const inner = createModelDecoder(of, { padTokenId: NUM_ITEMS });
        return {
          vocabSize: NUM_ITEMS + 1,
          prefill: (...args) => inner.prefill(...args),
          hidden: (state) => inner.hidden(state),
          step: (...args) => inner.step(...args),
          project: (...args) => inner.project(...args),
          dispose: (state) => inner.dispose(state),
        };
      };
      const shared = { groupSize: 7, klWeight: 0.3 };
      const overItems = grpo({ ...shared, reference: causalItemScorer(start) });
      const inTokens = grpo({ ...shared, reference: start, trie: oneToken, createDecoder, padTokenId: NUM_ITEMS });
      const ofItems = await stepOf(overItems, model, rows);
      overItems.detach();
      const ofTokens = await stepOf(inTokens, model, await prepared(inTokens, model, rows));
      inTokens.detach();
      expect(ofTokens.loss).to.be.closeTo(ofItems.loss, 1e-5);
      for (const [name, gradient] of ofItems.gradients)
        expect(maxDifference(ofTokens.gradients.get(name) as Float32Array, gradient), name).to.be.below(1e-5);
      disposeModel(model);
      disposeModel(start);
    });

    it('draws the same groups for the same seed and step, and others for another', async () => {
      const [model, start] = [languageModel(3), languageModel(9)];
      const drawn = async (seed: number, step: number): Promise<string> => {
        const own = method({ reference: start, groups: 'sample', seed });
        own.step = step;
        const { labels } = await prepared(own, model);
        own.detach();
        return labels.join();
      };
      const first = await drawn(5, 2);
      expect(await drawn(5, 2)).to.equal(first);
      expect(await drawn(5, 3)).to.not.equal(first);
      expect(await drawn(6, 2)).to.not.equal(first);
      disposeModel(model);
      disposeModel(start);
    });

    it('raises the targets, resumes in the middle with equal weights, and leaves no tensor behind', async () => {
      const start = languageModel(3);
      const newOptimizer = (): AdamW => new AdamW({ learningRate: 0.01 });
      const train = (
        model: tfl.LayersModel,
        optimizer: AdamW,
        { stopAt, startStep }: { stopAt?: number; startStep?: number } = {},
      ): Promise<unknown> =>
        trainModel({
          model,
          method: method({ reference: start, groups: 'sample', seed: 1, klWeight: 0.01 }),
          optimizer,
          batches: groupsOfTwo,
          epochs: 10,
          startStep,
          callbacks: [{ onStep: ({ step }, state) => (step === stopAt ? state.stop() : undefined) }],
        });
      const groupsOfTwo = groupBatches({
        numGroups: examples.length,
        groupAt: (index) => ({ prompt: promptOf(examples[index][0]), responses: [itemTokens[examples[index][1]]] }),
        padTokenId: 0,
        groupsPerBatch: 2,
      });
      const targets = (weights: Weights): number =>
        total(examples.map(([history, item]) => total(tokensIn(weights, promptOf(history), itemTokens[item]))));

      const whole = languageModel(3);
      const begins = targets(await weightsNow(whole));
      const tensorsBefore = tf.memory().numTensors;
      const optimizer = newOptimizer();
      await train(whole, optimizer);
      optimizer.dispose();
      expect(tf.memory().numTensors).to.equal(tensorsBefore);
      expect(targets(await weightsNow(whole))).to.be.above(begins + 1);

      const [first, second] = [languageModel(3), languageModel(4)];
      const [before, after] = [newOptimizer(), newOptimizer()];
      await train(first, before, { stopAt: 7 });
      second.setWeights(first.getWeights());
      const state = await before.getWeights();
      await after.setWeights(state);
      await train(second, after, { startStep: 7 });
      expect([...(await weightsNow(second))]).to.deep.equal([...(await weightsNow(whole))]);
      for (const model of [start, whole, first, second]) disposeModel(model);
    });

    it('refuses what does not fit, in one sentence', async () => {
      const model = languageModel(3);
      const reference = languageModel(9);
      const scorer = causalItemScorer(itemModel());
      const refused = (options: object): string => {
        try {
          method({ reference, ...options });
        } catch (error) {
          return (error as Error).message;
        }
        return 'nothing';
      };
      expect(refused({ reference: scorer })).to.match(/^grpo: reference must be a language model, got/);
      expect(refused({ groups: 'best' })).to.equal("grpo: groups must be 'beam' or 'sample', got 'best'");
      expect(refused({ temperature: 0 })).to.equal('grpo: temperature must be a number above 0, got 0');
      expect(refused({ seed: 0.5 })).to.equal('grpo: seed must be a whole number, got 0.5');
      expect(refused({ trie: undefined, padTokenId: 3 })).to.equal(
        'grpo: padTokenId is for models that write an item in several tokens, got it without a trie',
      );
      const prepare = (options: Partial<GrpoTokenOptions>, given = batch): Promise<string> =>
        messageOf(prepared(method({ reference, ...options }), model, given));
      expect(await prepare({ reference: model })).to.equal(
        'grpo: reference must not be the model that is trained, which changes; give it a copy',
      );
      expect(await prepare({ groupSize: 12 })).to.equal(
        'grpo: groupSize must be at most the 11 items that may be listed, got 12',
      );
      const labels = batch.labels.map((label) => (label === 4 ? 6 : label));
      expect(await prepare({}, { ...batch, labels })).to.match(
        /^grpo: each row must end in one response, an item of the trie, got 6 in row \d of a batch; promptBatches/,
      );
      const own = method({ reference });
      expect(await messageOf(stepOf(own, model, batch))).to.equal(
        'grpo: each batch must be made by prepareBatch before its step, got another; train with trainModel, or call ' +
          'await method.prepareBatch(batch, model) in your own loop',
      );
      own.detach();
      disposeModel(model);
      disposeModel(reference);
    });
  });
});
