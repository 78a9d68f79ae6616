import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { ilrec } from '../../src/ilrec/ilrec';
import { addLora, type LoraAdapter, type LoraOptions } from '../../src/lora';
import { causalLM } from '../../src/models/causal_lm';
import { AdamW } from '../../src/optimizers/adamw';
import { accumulateGradients } from '../../src/optimizers/gradient_accumulation';
import { gradientCheckpointing } from '../../src/training/gradient_checkpointing';
import { forEachBackend } from '../support/backends';
import { fillB, foreignModel } from '../support/lora_models';
import { integers } from '../support/random';
import { maxDifference } from '../support/reference';

const [B, T, V] = [2, 6, 17];
const ids = (): tf.Tensor2D => tf.tensor2d(integers(B * T, V, 1), [B, T], 'int32');
const labels = (): tf.Tensor2D =>
  tf.tensor2d(
    integers(B * T, V, 2).map((label, at) => (at % T < 2 + Math.floor(at / T) ? -100 : label)),
    [B, T],
    'int32',
  );
const objective = { penaltyWeight: 0.8, distillationWeight: 0.4 };
const own = {
  vocabSize: V,
  hiddenSize: 8,
  intermediateSize: 11,
  numHiddenLayers: 3,
  numAttentionHeads: 2,
  initializerRange: 0.4,
  seed: 3,
};

/** A recurrent model whose head is dense, alone or for every time step. */
function recurrent(head: tfl.layers.Layer): tfl.LayersModel {
  const normal = (seed: number) => tfl.initializers.randomNormal({ stddev: 0.4, seed });
  const layers = [
    tfl.layers.embedding({ inputDim: V, outputDim: 6, inputShape: [T], embeddingsInitializer: normal(1) }),
    ...[2, 3, 4].map((seed) =>
      tfl.layers.gru({
        units: 6,
        returnSequences: true,
        kernelInitializer: normal(seed),
        recurrentInitializer: normal(seed),
      }),
    ),
    head,
  ];
  return tfl.sequential({ layers });
}
const dense = (args: { name?: string; activation?: 'softmax' } = {}): tfl.layers.Layer =>
  tfl.layers.dense({
    units: V,
    kernelInitializer: tfl.initializers.randomNormal({ seed: 5 }),
    biasInitializer: tfl.initializers.randomNormal({ seed: 6 }),
    ...args,
  });

const cases: { name: string; build: () => tfl.LayersModel; options: LoraOptions; merges?: false }[] = [
  {
    name: 'every projection and the head of this package',
    build: () => causalLM({ ...own, tieWordEmbeddings: false }),
    options: { targets: (path) => path !== 'embed_tokens/weight' },
  },
  { name: 'a tied head alone', build: () => causalLM(own), options: { targets: 'lm_head' }, merges: false },
  { name: 'a dense head alone', build: () => recurrent(dense({ name: 'head' })), options: { targets: 'head' } },
  {
    name: 'a dense head with softmax',
    build: () => recurrent(dense({ name: 'head', activation: 'softmax' })),
    options: { targets: 'head' },
  },
  {
    name: 'a time-distributed dense head',
    build: () => recurrent(tfl.layers.timeDistributed({ name: 'head', layer: dense() })),
    options: { targets: 'head' },
  },
  { name: 'recurrent kernels', build: () => recurrent(dense()), options: { targets: ['recurrent_kernel'] } },
  {
    name: 'recurrent, dense, time-distributed and own layers before the head',
    build: () => foreignModel(V),
    options: { targets: ['kernel', 'gated/gate'] },
  },
];

interface Pass {
  loss: number;
  terms: number[];
  grads: Float32Array[];
}

/** Loss, metrics and gradients of one training pass under ilrec. */
function pass(model: tfl.LayersModel, before: (attach: () => void) => void = (attach) => attach()): Pass {
  const method = ilrec(objective);
  before(() => method.attach(model));
  const result = tf.tidy(() => {
    const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { value, grads } = tf.variableGrads(
      () => method.loss(labels(), model.apply(ids(), { training: true }) as tf.Tensor),
      variables,
    );
    return {
      loss: value.dataSync()[0],
      terms: method.metrics.map((metric) => metric(labels(), labels()).dataSync()[0]),
      grads: variables.map(({ name }) => grads[name].dataSync<'float32'>().slice()),
    };
  });
  method.detach();
  return result;
}

function expectSame(a: Pass, b: Pass): void {
  expect(a.loss).to.be.closeTo(b.loss, 1e-5 * Math.abs(b.loss));
  expect(maxDifference(a.terms, b.terms)).to.be.below(1e-4);
  a.grads.forEach((gradient, i) => expect(maxDifference(gradient, b.grads[i])).to.be.below(1e-5));
}

describe('LoRA under ilrec', () => {
  forEachBackend(() => {
    for (const { name, build, options, merges = true } of cases) {
      it(`computes every term with the adapter on ${name}, whichever came first`, () => {
        const model = build();
        const plain = pass(model);
        let adapter: LoraAdapter | null = null;
        const add = (): LoraAdapter => {
          adapter = addLora(model, { rank: 2, ...options });
          fillB(adapter);
          return adapter;
        };
        const attachedFirst = pass(model, (attach) => {
          attach();
          add();
        });
        expect(Math.abs(attachedFirst.loss - plain.loss)).to.be.above(1e-3);
        expect(attachedFirst.grads.every((gradient) => gradient.some((value) => value !== 0))).to.equal(true);
        expectSame(pass(model), attachedFirst);
        if (merges) {
          (adapter as unknown as LoraAdapter).merge();
          const merged = tf.tidy(() => {
            const method = ilrec(objective);
            method.attach(model);
            const loss = method.loss(labels(), model.apply(ids(), { training: true }) as tf.Tensor).dataSync()[0];
            const terms = method.metrics.map((metric) => metric(labels(), labels()).dataSync()[0]);
            method.detach();
            return { loss, terms, grads: [] };
          });
          expectSame(merged, { ...attachedFirst, grads: [] });
        }
        (adapter as unknown as LoraAdapter).remove();
        expectSame(pass(model), plain);
        model.dispose();
      });
    }

    it('has the same gradients under gradient checkpointing', () => {
      for (const { build, options } of [cases[0], cases[5]]) {
        const model = build();
        const adapter = addLora(model, { rank: 2, ...options });
        fillB(adapter);
        const plain = pass(model);
        const { remove } = gradientCheckpointing(model);
        expectSame(pass(model), plain);
        remove();
        adapter.remove();
        model.dispose();
      }
    });

    it('makes no gradient of frozen weights under gradient checkpointing either', async () => {
      const model = causalLM(own);
      addLora(model, { targets: 'q_proj', rank: 2 });
      const products = async (run: () => unknown): Promise<number> =>
        (
          await tf.profile(() => {
            tf.tidy(() => void run());
            return tf.scalar(0);
          })
        ).kernels.filter(({ name }) => name === 'BatchMatMul').length;
      const plain = await products(() => pass(model));
      const forward = await products(() =>
        model.layers
          .filter(({ name }) => name.startsWith('layers_'))
          .map((block) => block.call(tf.ones([B, T, 8]), {})),
      );
      gradientCheckpointing(model);
      pass(model);
      expect((await products(() => pass(model))) - plain).to.be.within(1, forward);
      model.dispose();
    });

    it('equals the large batch in steps of small ones, with checkpointing and an optimizer that clips', async () => {
      const rows = (from: number, to: number) => ({
        xs: tf.slice(ids(), [from, 0], [to - from, T]),
        ys: tf.slice(labels(), [from, 0], [to - from, T]),
      });
      const run = async (batches: [number, number][], tools: boolean): Promise<Float32Array[]> => {
        const model = causalLM({ ...own, tieWordEmbeddings: false });
        const adapter = addLora(model, { targets: ['q_proj', 'down_proj', 'lm_head'], trainModules: 'norm', rank: 2 });
        fillB(adapter);
        if (tools) gradientCheckpointing(model);
        const method = ilrec(objective);
        const optimizer = new AdamW({ learningRate: 0.01, clipNorm: 0.1, epsilon: 1e-3 });
        model.compile({
          optimizer: tools
            ? accumulateGradients(optimizer, { steps: batches.length, weight: () => method.numResponsePositions })
            : optimizer,
          loss: method.loss,
        });
        method.attach(model);
        for (let step = 0; step < 3; step++)
          for (const [from, to] of batches) await model.trainOnBatch(rows(from, to).xs, rows(from, to).ys);
        method.detach();
        return adapter.parameters.map((parameter) => parameter.read().dataSync<'float32'>().slice());
      };
      const [large, small] = [
        await run([[0, B]], false),
        await run(
          [
            [0, 1],
            [1, B],
          ],
          true,
        ),
      ];
      small.forEach((values, i) => expect(maxDifference(values, large[i])).to.be.below(1e-5));
    });

    it('is trained by fitDataset with the callback, functional or sequential, base untouched', async () => {
      const models: [tfl.LayersModel, string[]][] = [
        [causalLM({ ...own, tieWordEmbeddings: false }), ['q_proj', 'v_proj', 'lm_head']],
        [recurrent(dense({ name: 'head' })), ['kernel']],
      ];
      for (const [model, targets] of models) {
        const before = model.getWeights().map((weight) => [...weight.dataSync()]);
        const adapter = addLora(model, { targets, rank: 2 });
        const method = ilrec(objective);
        model.compile({ optimizer: tf.train.adam(0.05), loss: method.loss, metrics: method.metrics });
        const batches = {
          size: null,
          iterator: async () => {
            const queue = [1, 2].map(() => ({ xs: ids(), ys: labels() }));
            return {
              next: async () =>
                queue.length > 0 ? { value: queue.shift(), done: false } : { value: null, done: true },
            };
          },
        } as unknown as Parameters<tfl.LayersModel['fitDataset']>[0];
        const { history } = await model.fitDataset(batches, { epochs: 4, verbose: 0, callbacks: [method.callback] });
        expect(history.loss[3]).to.be.below((history.loss[0] as number) - 0.1);
        expect(model.getWeights().map((weight) => [...weight.dataSync()])).to.deep.equal(before);
        adapter.remove();
        model.dispose();
      }
    });
  });
});
