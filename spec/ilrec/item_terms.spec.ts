import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { ilrec, type IlrecMethod, type IlrecOptions, METRIC_NAMES } from '../../src/ilrec/ilrec';
import { disposeModel } from '../../src/models/dispose_model';
import { sft } from '../../src/tapped/sft';
import { forEachBackend, forEachDevice } from '../support/backends';
import {
  itemInputs,
  type ItemLossOptions,
  itemLossReference,
  itemStep,
  preparedReward,
  weightsNow,
  withEntry,
} from '../support/item_batches';
import { itemModel, NUM_ITEMS as N } from '../support/item_models';
import { integers } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';
import { weightsOf } from '../support/reference_decoder';

const layers = [0, 1];
const all = { penaltyWeight: 0.8, distillationWeight: 0.4 };
const future = { weight: 0.3, numItems: 4, decay: 0.6 };
const sample = { sampledItems: 5, seed: 3 };

/** What goes to ilrec() beside the reward, and to the reference. */
const CASES: readonly (readonly [string, ItemLossOptions])[] = [
  ['no terms but cross-entropy', { penaltyWeight: 0, distillationWeight: 0, itemSoftmax: {} }],
  [
    'the teacher on all items',
    { penaltyWeight: 0, distillationWeight: 0, itemSoftmax: {}, rewardWeight: 0.7, rewardTargets: 'all' },
  ],
  [
    'next items and the teacher on all items',
    { penaltyWeight: 0, distillationWeight: 0, futureTargets: future, rewardWeight: 0.7, rewardTargets: 'all' },
  ],
  [
    'the same over a sample without items seen',
    {
      penaltyWeight: 0,
      distillationWeight: 0,
      itemSoftmax: { ...sample, seen: 'exclude' },
      futureTargets: future,
      rewardWeight: 0.7,
      rewardTargets: 'all',
    },
  ],
  ['CPO and CPD', { ...all, itemSoftmax: {}, layers }],
  [
    'the teacher on the negatives alone',
    { penaltyWeight: 0, distillationWeight: 0, itemSoftmax: {}, rewardWeight: 0.7, layers },
  ],
  [
    'all terms, the teacher on the negatives',
    { ...all, itemSoftmax: {}, futureTargets: future, rewardWeight: 0.7, layers },
  ],
  [
    'all terms, the teacher on all items',
    { ...all, itemSoftmax: {}, futureTargets: future, rewardWeight: 0.7, rewardTargets: 'all', layers },
  ],
  [
    'all terms without items seen',
    { ...all, itemSoftmax: { seen: 'exclude' }, futureTargets: future, rewardWeight: 0.7, layers },
  ],
  [
    'all terms over a sample',
    { ...all, itemSoftmax: sample, futureTargets: future, rewardWeight: 0.7, rewardTargets: 'all', layers },
  ],
  [
    'all terms over a sample, the teacher on the negatives',
    { ...all, itemSoftmax: { ...sample, seen: 'exclude' }, futureTargets: future, rewardWeight: 0.7, layers },
  ],
];

async function methodOf({ layers: _, ...options }: ItemLossOptions): Promise<IlrecMethod> {
  const reward = (options.rewardWeight ?? 0) === 0 ? {} : { reward: await preparedReward() };
  return ilrec({ numNegativeLayers: 2, ...(options as IlrecOptions), ...reward });
}

type StudiedOptions = ItemLossOptions & Pick<IlrecOptions, 'negatives' | 'deepSupervisionWeight'>;

async function stepOf(options: StudiedOptions, model: tfl.LayersModel): ReturnType<typeof itemStep> {
  const method = await methodOf(options);
  method.attach(model);
  const step = await itemStep(method, model);
  method.detach();
  return step;
}

describe('ilrec of a model whose tokens are items', () => {
  forEachDevice(() => {
    for (const useRepeatBias of [false, true]) {
      it(`has loss and terms of the model in float64, ${useRepeatBias ? 'with' : 'without'} a repeat bias`, async () => {
        const model = itemModel({ items: { useRepeatBias } });
        const weights = await weightsNow(model);
        for (const [words, options] of CASES) {
          const method = await methodOf(options);
          method.attach(model);
          const { loss } = await itemStep(method, model);
          const terms = itemLossReference(weights, options);
          expect(loss, words).to.be.closeTo(terms.total, 5e-5);
          const told = await method.diagnostics();
          for (const name of METRIC_NAMES) {
            const expected = name === 'cpd' && options.distillationWeight === 0 ? 0 : terms[name];
            expect(told?.[name], `${words}: ${name}`).to.be.closeTo(expected, 5e-5);
          }
          expect(told?.klPerLayer.length).to.equal(
            options.layers === undefined || options.distillationWeight === 0 ? 0 : 2,
          );
          method.detach();
        }
        disposeModel(model);
      });
    }
  });

  forEachBackend((backend) => {
    it('has the gradients of central differences, in every weight', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const weights = weightsOf(model);
      for (const [words, options] of backend === 'cpu' ? CASES : CASES.slice(-4)) {
        const { gradients } = await stepOf(options, model);
        for (const [at, [name, gradient]] of [...gradients].entries()) {
          const sampled = [...integers(2, gradient.length, at)];
          const numeric = sampled.map((flat) => {
            const value = (x: Float64Array): number =>
              itemLossReference(withEntry(weights, name, flat, x[0]), options, weights).total;
            return centralDifferences(value, [weights.get(name)?.flat()[flat] as number])[0];
          });
          expect(
            maxDifference(
              sampled.map((flat) => gradient[flat]),
              numeric,
            ),
            `${words}: ${name}`,
          ).to.be.below(5e-5);
        }
      }
      disposeModel(model);
    });

    it('is ilrec without these options where all items count, there is no repeat bias and the teacher is on negatives', async () => {
      const model = itemModel();
      for (const options of [
        { penaltyWeight: 0.8, distillationWeight: 0.4, rewardWeight: 0.7 },
        { penaltyWeight: 0.8, distillationWeight: 0.4, rewardWeight: 0.7, penalty: 'additive', thresholdScale: 0.5 },
        { penaltyWeight: 0.8, distillationWeight: 0, rewardWeight: 0.7, thresholdReference: 'ensemble' },
        { penaltyWeight: 0, distillationWeight: 0.4 },
        { penaltyWeight: 0.3, distillationWeight: 0 },
      ] satisfies ItemLossOptions[]) {
        const [own, dense] = [await stepOf({ ...options, itemSoftmax: {} }, model), await stepOf(options, model)];
        expect(own.loss, JSON.stringify(options)).to.be.closeTo(dense.loss, 2e-6);
        for (const [name, gradient] of own.gradients)
          expect(maxDifference(gradient, dense.gradients.get(name) as Float32Array), name).to.be.below(5e-6);
      }
      disposeModel(model);
    });

    it('takes other negatives, and trains the layers below, as it does without these options', async () => {
      const model = itemModel();
      const trie = buildPrefixTrie(Array.from({ length: N }, (_, item) => [item]));
      const cpo = { penaltyWeight: 0.8, distillationWeight: 0, thresholdScale: 0.5 } as const;
      const plain = await stepOf({ ...cpo, itemSoftmax: {} }, model);
      for (const options of [
        { ...cpo, negatives: { source: 'final' } },
        { ...cpo, negatives: { maxCount: 2, exponent: 0 } },
        { ...cpo, negatives: { source: 'random', seed: 4 } },
        { ...cpo, rewardWeight: 0.7, negatives: { spare: ['reward'] } },
        { ...cpo, deepSupervisionWeight: 0.4 },
      ] satisfies StudiedOptions[]) {
        const [own, dense] = [await stepOf({ ...options, itemSoftmax: {} }, model), await stepOf(options, model)];
        expect(own.loss, JSON.stringify(options)).to.be.closeTo(dense.loss, 5e-6);
        expect(Math.abs(own.loss - plain.loss), JSON.stringify(options)).to.be.above(1e-4);
        for (const [name, gradient] of own.gradients)
          expect(maxDifference(gradient, dense.gradients.get(name) as Float32Array), name).to.be.below(1e-5);
      }
      const spare: StudiedOptions = { ...cpo, negatives: { spare: ['future'] } };
      const own = await stepOf({ ...spare, futureTargets: { weight: 0, numItems: 3 }, itemSoftmax: {} }, model);
      const dense = await stepOf({ ...spare, futureTargets: { weight: 0, numItems: 3, trie } }, model);
      expect(own.loss).to.be.closeTo(dense.loss, 2e-6);
      expect(Math.abs(own.loss - plain.loss)).to.be.above(1e-4);
      disposeModel(model);
    });

    it('is sft of the same options without alpha, lambda and mu', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const options = { itemSoftmax: { ...sample, seen: 'exclude' }, futureTargets: future } as const;
      const method = sft(options);
      method.attach(model);
      const plain = await itemStep(method, model);
      method.detach();
      const own = await stepOf({ ...options, penaltyWeight: 0, distillationWeight: 0 }, model);
      expect(own.loss).to.equal(plain.loss);
      for (const [name, gradient] of own.gradients)
        expect([...gradient], name).to.deep.equal([...(plain.gradients.get(name) as Float32Array)]);
      disposeModel(model);
    });

    it('compares layers on some items alone', async () => {
      const model = itemModel();
      const options = { penaltyWeight: 0, distillationWeight: 1, distillationTokens: [2, 3, 5] };
      const [own, dense] = [
        await stepOf({ ...options, itemSoftmax: {} } as ItemLossOptions, model),
        await stepOf(options as ItemLossOptions, model),
      ];
      expect(own.loss).to.be.closeTo(dense.loss, 2e-6);
      const method = ilrec({ ...options, distillationTokens: [2, N], itemSoftmax: {} });
      method.attach(model);
      const message = await itemStep(method, model).then(String, (error: Error) => error.message);
      expect(message).to.equal(
        "ilrec: distillationTokens must be tokens below the 13 of the model's vocabulary, got 13",
      );
      method.detach();
      disposeModel(model);
    });

    it('draws items in training alone, and others at each step', async () => {
      const model = itemModel();
      const weights = weightsOf(model);
      const options: ItemLossOptions = { ...all, itemSoftmax: sample, futureTargets: future, layers };
      const method = await methodOf(options);
      model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      for (const step of [4, 5]) {
        method.step = step;
        expect((await itemStep(method, model)).loss).to.be.closeTo(
          itemLossReference(weights, { ...options, step }).total,
          5e-5,
        );
      }
      const { xs, ys } = itemInputs();
      const values = tf.tidy(() => (model.evaluate(xs, ys) as tf.Scalar[]).map((value) => value.dataSync()[0]));
      const terms = itemLossReference(weights, { ...options, training: false });
      [terms.total, ...METRIC_NAMES.map((name) => terms[name])].forEach((expected, i) =>
        expect(values[i]).to.be.closeTo(expected, 5e-5),
      );
      expect(method.step).to.equal(6);
      tf.dispose([xs, ys]);
      method.detach();
      disposeModel(model);
    });

    it('asks no teacher whose weight is 0', async () => {
      const model = itemModel();
      const reward = Object.assign(
        () => {
          throw new Error('asked');
        },
        {
          entries: () => {
            throw new Error('asked');
          },
        },
      );
      const method = ilrec({ ...all, itemSoftmax: {}, reward, rewardWeight: (step) => (step === 0 ? 0 : 1) });
      method.attach(model);
      const { loss } = await itemStep(method, model);
      expect(loss).to.be.closeTo(itemLossReference(weightsOf(model), { ...all, layers }).total, 5e-5);
      expect(await itemStep(method, model).then(String, (error: Error) => error.message)).to.equal('asked');
      method.detach();
      disposeModel(model);
    });

    it('takes a teacher without entries of its own, and the label where the teacher knows nothing', async () => {
      const model = itemModel();
      const options = { ...all, itemSoftmax: {}, rewardWeight: 0.7, rewardTargets: 'all' } as const;
      const prepared = await preparedReward();
      const [dense, none] = [
        ilrec({ ...options, reward: (context) => prepared(context) }),
        ilrec({
          ...options,
          reward: ({ positions, vocabSize }) => tf.zeros([positions.length, vocabSize]),
        }),
      ];
      const losses: number[] = [];
      for (const method of [dense, none]) {
        method.attach(model);
        losses.push((await itemStep(method, model)).loss);
        method.detach();
      }
      const weights = weightsOf(model);
      expect(losses[0]).to.be.closeTo(itemLossReference(weights, { ...options, layers }).total, 5e-5);
      const { total, crossEntropy } = itemLossReference(weights, { ...options, layers, rewardWeight: 0 });
      expect(losses[1]).to.be.closeTo(total + 0.7 * crossEntropy, 5e-5);
      disposeModel(model);
    });

    it('has loss 0 and trains nothing where every position is ignored', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      const method = await methodOf({ ...all, itemSoftmax: sample, futureTargets: future, rewardWeight: 0.7 });
      model.compile({ optimizer: tf.train.sgd(0.05), loss: method.loss, metrics: method.metrics });
      method.attach(model);
      const before = model.getWeights().map((weight) => [...weight.dataSync()]);
      const { xs, ys } = itemInputs();
      const none = tf.fill([3, 5], -100, 'int32');
      const values = (await model.trainOnBatch(xs, none)) as number[];
      expect(values.map(Math.abs)).to.deep.equal([0, 0, 0, 0, 0, 0, 0]);
      expect(model.getWeights().map((weight) => [...weight.dataSync()])).to.deep.equal(before);
      tf.dispose([xs, ys, none]);
      method.detach();
      disposeModel(model);
    });

    it('refuses labels that are no items', async () => {
      const model = itemModel();
      for (const [, options] of CASES) {
        const method = await methodOf(options);
        model.compile({ optimizer: tf.train.sgd(0.05), loss: method.loss });
        method.attach(model);
        const { xs, ys } = itemInputs();
        const wrong = tf.fill([3, 5], N, 'int32');
        const message = await model.trainOnBatch(xs, wrong).then(String, (error: Error) => error.message);
        expect(message).to.equal(
          "ilrec: labels must be tokens below the 13 of the model's vocabulary, or -100, got 13",
        );
        tf.dispose([xs, ys, wrong]);
        method.detach();
      }
      disposeModel(model);
    });

    it('leaves no tensor behind', async () => {
      const model = itemModel({ items: { useRepeatBias: true } });
      for (const [words, options] of CASES) {
        const before = tf.memory().numTensors;
        const method = await methodOf(options);
        model.compile({ optimizer: tf.train.sgd(0.05), loss: method.loss, metrics: method.metrics });
        method.attach(model);
        const { xs, ys } = itemInputs();
        await model.trainOnBatch(xs, ys);
        tf.dispose(model.evaluate(xs, ys));
        tf.dispose([xs, ys]);
        method.detach();
        model.optimizer.dispose();
        expect(tf.memory().numTensors, words).to.equal(before);
      }
      disposeModel(model);
    });
  });

  it('refuses options out of range, and ones that have no effect', () => {
    const refused: [IlrecOptions, string][] = [
      [
        { itemSoftmax: { sampledItems: 0 } },
        'ilrec: itemSoftmax.sampledItems must be a positive integer or null, got 0',
      ],
      [{ futureTargets: { weight: 2 } }, 'ilrec: futureTargets.weight must be from 0 to 1, got 2'],
      [
        { rewardTargets: 'some' as 'all', itemSoftmax: {} },
        "ilrec: rewardTargets must be 'negatives' or 'all', got 'some'",
      ],
      [
        { itemSoftmax: { sampledItems: 3 }, distillationTokens: [1, 2] },
        'ilrec: distillationTokens and itemSoftmax.sampledItems must not both be set: a sample decides on which items ' +
          'CPD compares the layers',
      ],
    ];
    for (const [options, message] of refused) expect(() => ilrec(options)).to.throw(message);
  });
});
