import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { registerKernels, unregisterKernels } from '../../src/kernels/register_kernels';
import { buildPrefixTrie } from '../../src/generation/prefix_trie';
import { ilrec, type IlrecDiagnostics, type IlrecOptions } from '../../src/ilrec/ilrec';
import { addLora } from '../../src/lora';
import { causalLM } from '../../src/models/causal_lm';
import { trieReward } from '../../src/rewards/trie_reward';
import { ModelTaps } from '../../src/taps';
import { isStreamed } from '../../src/vocabulary/vocabulary_tiles';
import type { Reward } from '../../src/losses/reward';
import { popularityScorer } from '../../src/models/popularity';
import { onWebGpu } from '../support/backends';
import { integers } from '../support/random';
import { maxDifference } from '../support/reference';

// with two layers tapped, 3 * 87 rows of 5,003 logits are above the 2^20 that are made at once
const [B, T, V, D] = [3, 29, 5003, 8];

interface Step {
  readonly loss: number;
  readonly diagnostics: IlrecDiagnostics;
  readonly gradients: Map<string, Float32Array>;
}

/**
 * One training step's loss and gradients.
 * @param dense whether the head's matrix is hidden from the loss, so that it goes by way of all logits.
 */
async function step(model: tfl.LayersModel, options: IlrecOptions, dense: boolean): Promise<Step> {
  const own = Object.getOwnPropertyDescriptor(ModelTaps.prototype, 'projection') as PropertyDescriptor;
  if (dense) Object.defineProperty(ModelTaps.prototype, 'projection', { get: () => null, configurable: true });
  const method = ilrec({ numNegativeLayers: 2, ...options });
  method.attach(model);
  try {
    const ids = tf.tensor2d(integers(B * T, V, 3), [B, T], 'int32');
    const labels = tf.tensor2d(integers(B * T, V, 5), [B, T], 'int32');
    const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { value, grads } = tf.variableGrads(() => method.lossOf(ids, labels), variables);
    const result = {
      loss: (await value.data())[0],
      diagnostics: (await method.diagnostics()) as IlrecDiagnostics,
      gradients: new Map(
        await Promise.all(
          Object.entries(grads).map(async ([name, gradient]) => [name, await gradient.data<'float32'>()] as const),
        ),
      ),
    };
    tf.dispose([ids, labels, value, grads]);
    return result;
  } finally {
    method.detach();
    Object.defineProperty(ModelTaps.prototype, 'projection', own);
  }
}

async function expectSame(model: tfl.LayersModel, options: IlrecOptions = {}): Promise<void> {
  const [got, wanted] = [await step(model, options, false), await step(model, options, true)];
  expect(got.loss).to.be.closeTo(wanted.loss, 1e-4);
  for (const name of ['crossEntropy', 'cpo', 'cpd', 'crr', 'penaltyMass'] as const)
    expect(got.diagnostics[name], name).to.be.closeTo(wanted.diagnostics[name], name === 'penaltyMass' ? 1e-3 : 1e-4);
  expect(got.diagnostics.numNegatives).to.be.closeTo(
    wanted.diagnostics.numNegatives,
    0.2 + 1e-3 * wanted.diagnostics.numNegatives,
  ); // a token at the threshold may fall to either side
  expect([...got.gradients.keys()]).to.deep.equal([...wanted.gradients.keys()]);
  for (const [name, gradient] of wanted.gradients) {
    const scale = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    expect(maxDifference(got.gradients.get(name) as Float32Array, gradient) / scale, name).to.be.below(2e-4);
  }
}

const decoder = (tieWordEmbeddings: boolean): tfl.LayersModel =>
  causalLM({
    vocabSize: V,
    hiddenSize: D,
    numHiddenLayers: 3,
    numAttentionHeads: 2,
    tieWordEmbeddings,
    initializerRange: 0.3,
  });

function recurrent(activation: 'softmax' | 'linear', separate: boolean, distributed: boolean): tfl.LayersModel {
  const seeded = (seed: number): ReturnType<typeof tfl.initializers.glorotUniform> =>
    tfl.initializers.glorotUniform({ seed });
  const model = tfl.sequential();
  model.add(tfl.layers.embedding({ inputDim: V, outputDim: D, inputShape: [null], embeddingsInitializer: seeded(1) }));
  for (let i = 0; i < 3; i++)
    model.add(
      tfl.layers.gru({
        units: D,
        returnSequences: true,
        kernelInitializer: seeded(10 + i),
        recurrentInitializer: seeded(20 + i),
      }),
    );
  const dense = tfl.layers.dense({
    units: V,
    activation: separate ? 'linear' : activation,
    kernelInitializer: seeded(2),
  });
  model.add(distributed ? tfl.layers.timeDistributed({ layer: dense }) : dense);
  if (separate) model.add(tfl.layers.softmax());
  return model;
}

function shopReward(): Reward {
  const trie = buildPrefixTrie(Array.from({ length: 60 }, (_, item) => [10 + (item % 7), 30 + item]));
  return trieReward({
    scorer: popularityScorer(
      Array.from({ length: 60 }, (_, item) => [item, item % 5]),
      60,
    ),
    trie,
  });
}

describe('ilrec with a large vocabulary', () => {
  before(() => tf.setBackend('wasm')); // the objective itself is held against the reference on each backend

  it('has the loss, the metrics and the gradients of the dense objective, with a tied head and one of its own', async () => {
    for (const tied of [true, false]) await expectSame(decoder(tied));
  });

  it('reads dense heads with a bias, with a softmax inside or behind, and in TimeDistributed', async () => {
    for (const [activation, separate, distributed] of [
      ['softmax', false, false],
      ['linear', true, false],
      ['linear', false, true],
    ] as const) {
      await expectSame(recurrent(activation, separate, distributed), { penalty: 'additive', penaltyWeight: 2 });
    }
  });

  it('trains adapters beside a frozen head, and goes by way of logits where the head itself is adapted', async () => {
    const model = decoder(false);
    addLora(model, { rank: 2, targets: ['q_proj', 'v_proj'] });
    await expectSame(model);
    const adapted = decoder(false);
    addLora(adapted, { rank: 2, targets: ['lm_head/weight'] });
    await expectSame(adapted);
  });

  it('makes no gradient of a head whose layer was made frozen, though its variable says that it is trained', async () => {
    const model = tfl.sequential();
    model.add(tfl.layers.embedding({ inputDim: V, outputDim: D, inputShape: [null] }));
    for (let i = 0; i < 3; i++)
      model.add(tfl.layers.gru({ units: D, returnSequences: true, recurrentInitializer: 'glorotUniform' }));
    model.add(tfl.layers.dense({ units: V, trainable: false }));
    const { gradients } = await step(model, {}, false);
    expect(gradients.size).to.equal(1 + 3 * 3);
    await expectSame(model);
  });

  it('rewards by the trie', () => expectSame(decoder(true), { reward: shopReward(), rewardWeight: 0.7 }));

  it('evaluates without gradients', async () => {
    const model = decoder(true);
    const method = ilrec({ numNegativeLayers: 2 });
    model.compile({ optimizer: 'sgd', loss: method.loss, metrics: method.metrics });
    method.attach(model);
    const { loss, diagnostics } = await step(model, {}, true);
    method.attach(model);
    const before = tf.memory().numTensors;
    const ids = tf.tensor2d(integers(B * T, V, 3), [B, T], 'int32');
    const labels = tf.tensor2d(integers(B * T, V, 5), [B, T], 'int32');
    const results = model.evaluate(ids, labels) as tf.Scalar[];
    expect(results[0].dataSync()[0]).to.be.closeTo(loss, 1e-4);
    expect(results[1].dataSync()[0]).to.be.closeTo(diagnostics.crossEntropy, 1e-4);
    tf.dispose([ids, labels, results]);
    method.detach();
    expect(tf.memory().numTensors).to.be.at.most(before);
  });
});

describe('ilrec with a large vocabulary', () => {
  onWebGpu(() => {
    it('reads the head tile by tile, by kernels that read nothing back', async () => {
      expect(isStreamed(V, 3 * B * T)).to.equal(true);
      await expectSame(decoder(true));
      await expectSame(decoder(false), { reward: shopReward(), rewardWeight: 0.7 });
    });

    it('goes by way of logits without those kernels, or with a reward that gives no entries', async () => {
      const used = spyOn('ILRecReadHead');
      await step(decoder(true), { reward: (context) => shopReward()(context), rewardWeight: 0.7 }, false);
      expect(used()).to.equal(0);
      await step(decoder(true), {}, false);
      expect(used()).to.equal(1);
      unregisterKernels();
      try {
        expect(isStreamed(V, 3 * B * T)).to.equal(false);
        await step(decoder(true), {}, false);
      } finally {
        registerKernels();
      }
    });
  });
});

/** @returns how often the kernel of webgpu has run since. */
function spyOn(kernelName: string): () => number {
  const own = tf.getKernel(kernelName, 'webgpu');
  let calls = 0;
  tf.unregisterKernel(kernelName, 'webgpu');
  tf.registerKernel({ ...own, kernelFunc: (...args) => (calls++, own.kernelFunc(...args)) });
  return () => calls;
}
