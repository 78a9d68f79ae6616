import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ilrec } from '../../src/ilrec/ilrec';
import { LMHead, TokenEmbedding } from '../../src/layers';
import { addLora } from '../../src/lora/add_lora';
import { causalLM } from '../../src/models/causal_lm';
import { resizeTokenEmbeddings } from '../../src/pretrained/resize_embeddings';
import { disposeModel } from '../../src/models/dispose_model';
import { forEachBackend } from '../support/backends';
import { peakBytes } from '../support/peak_memory';
import { normals } from '../support/random';

const [V, D] = [11, 12];

function model(options: { tieWordEmbeddings?: boolean } = {}): tfl.LayersModel {
  return causalLM({
    vocabSize: V,
    hiddenSize: D,
    intermediateSize: 20,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    initializerRange: 0.3,
    seed: 5,
    ...options,
  });
}

function logitsOf(lm: tfl.LayersModel, tokens: number[]): number[][] {
  return tf.tidy(() =>
    (
      tf.squeeze(lm.predict(tf.tensor2d([tokens], [1, tokens.length], 'int32')) as tf.Tensor, [0]) as tf.Tensor2D
    ).arraySync(),
  );
}

function tableOf(lm: tfl.LayersModel, layer: string): number[][] {
  return (lm.getLayer(layer).getWeights()[0] as tf.Tensor2D).arraySync();
}

function expectClose(actual: number[], expected: number[], tolerance = 1e-5): void {
  expect(actual.length).to.equal(expected.length);
  actual.forEach((value, i) => expect(value).to.be.closeTo(expected[i], tolerance));
}

const meanOf = (rows: number[][]): number[] =>
  rows[0].map((_, d) => rows.reduce((sum, row) => sum + row[d], 0) / rows.length);

describe('resizeTokenEmbeddings', () => {
  forEachBackend(() => {
    for (const tieWordEmbeddings of [true, false]) {
      it(`leaves the old tokens' logits of ${tieWordEmbeddings ? 'a tied' : 'an untied'} model as they were, and adds those of the new rows`, () => {
        const old = model({ tieWordEmbeddings });
        const before = logitsOf(old, [3, 7, 1]);
        const embedding = normals(2 * D, 1);
        const head = normals(2 * D, 2);
        const grown = resizeTokenEmbeddings(old, V + 2, {
          ids: Int32Array.of(V, V + 1),
          embedding,
          ...(tieWordEmbeddings ? {} : { head }),
        });
        logitsOf(grown, [3, 7, 1]).forEach((row, t) => expectClose(row.slice(0, V), before[t]));
        expect(tableOf(grown, 'embed_tokens').slice(V).flat()).to.deep.equal([...embedding]);
        if (!tieWordEmbeddings) expect(tableOf(grown, 'lm_head').slice(V).flat()).to.deep.equal([...head]);
        expect((grown.outputs[0].shape as number[])[2]).to.equal(V + 2);
        disposeModel(grown);
      });
    }

    it('fills rows that are not given with the mean of the old ones', () => {
      const old = model({ tieWordEmbeddings: false });
      const means = ['embed_tokens', 'lm_head'].map((layer) => meanOf(tableOf(old, layer)));
      const grown = resizeTokenEmbeddings(old, V + 3, { ids: Int32Array.of(V + 1), embedding: normals(D, 1) });
      ['embed_tokens', 'lm_head'].forEach((layer, i) => {
        const rows = tableOf(grown, layer);
        expectClose(rows[V], means[i]);
        expect(rows[V + 1]).to.deep.equal([...normals(D, 1)]);
        expectClose(rows[V + 2], means[i]);
      });
      disposeModel(grown);
    });

    it('writes rows into spare ones of a vocabulary that is large enough, and returns the same model', () => {
      const lm = model();
      const before = tableOf(lm, 'embed_tokens');
      const same = resizeTokenEmbeddings(lm, V, { ids: Int32Array.of(9, 4), embedding: normals(2 * D, 3) });
      expect(same).to.equal(lm);
      const rows = [...normals(2 * D, 3)];
      expect(tableOf(lm, 'embed_tokens')).to.deep.equal(
        before.map((row, v) => (v === 9 ? rows.slice(0, D) : v === 4 ? rows.slice(D) : row)),
      );
      disposeModel(lm);
    });

    it('keeps layer and weight names, and what is frozen, and trains', async () => {
      const old = model();
      old.getLayer('layers_0').trainable = false;
      const names = old.weights.map(({ originalName }) => originalName);
      const grown = resizeTokenEmbeddings(old, V + 2);
      expect(grown.layers.map(({ name }) => name)).to.deep.equal(old.layers.map(({ name }) => name));
      expect(grown.weights.map(({ originalName }) => originalName)).to.deep.equal(names);
      const frozen = grown
        .getLayer('layers_0')
        .getWeights()
        .map((weight) => [...weight.dataSync()]);
      const table = tableOf(grown, 'embed_tokens');
      grown.compile({
        optimizer: tf.train.sgd(0.5),
        loss: (_: tf.Tensor, logits: tf.Tensor) => tf.mean(tf.square(logits)),
      });
      const [xs, ys] = [tf.tensor2d([[V + 1, 2]], [1, 2], 'int32'), tf.zeros([1, 2, V + 2])];
      await grown.trainOnBatch(xs, ys);
      expect(
        grown
          .getLayer('layers_0')
          .getWeights()
          .map((weight) => [...weight.dataSync()]),
      ).to.deep.equal(frozen);
      expect(tableOf(grown, 'embed_tokens')[V + 1]).to.not.deep.equal(table[V + 1]);
      tf.dispose([xs, ys]);
      disposeModel(grown);
    });

    it('finds the layers in a nested model', () => {
      const backbone = model();
      const ids = tfl.input({ shape: [null], dtype: 'int32' });
      const outer = tfl.model({ inputs: ids, outputs: backbone.apply(ids) as tfl.SymbolicTensor });
      const before = logitsOf(outer, [3, 7]);
      const grown = resizeTokenEmbeddings(outer, V + 2);
      logitsOf(grown, [3, 7]).forEach((row, t) => expectClose(row.slice(0, V), before[t]));
      disposeModel(grown);
    });

    it('takes a Sequential too', () => {
      const layers = [
        new TokenEmbedding({ vocabSize: V, hiddenSize: D, inputShape: [null], dtype: 'int32', seed: 1 }),
        new LMHead({ vocabSize: V, seed: 2 }),
      ];
      const old = tfl.sequential({ layers });
      const before = logitsOf(old, [3, 7]);
      const grown = resizeTokenEmbeddings(old, V + 2);
      expect(grown).to.be.instanceOf(tfl.Sequential);
      logitsOf(grown, [3, 7]).forEach((row, t) => expectClose(row.slice(0, V), before[t]));
      disposeModel(grown);
    });

    it('holds no second copy of the other weights at any time, and leaves no tensor behind', () => {
      const old = model();
      const { numTensors, numDataBuffers } = tf.memory();
      const numbers = old.weights.reduce(
        (sum, { shape }) => sum + shape.reduce<number>((size, n) => size * (n as number), 1),
        0,
      );
      let grown = old;
      const peak = peakBytes(() => (grown = resizeTokenEmbeddings(old, V + 2)));
      expect(peak).to.be.at.most(4 * 4 * (V + 2) * D); // a new table, and what it is put together from
      expect(peak).to.be.below((4 * numbers) / 2);
      expect(tf.memory().numTensors).to.equal(numTensors);
      expect(tf.memory().numDataBuffers).to.equal(numDataBuffers);
      disposeModel(grown);
    });

    it('leaves tfjs as it was, also when a model cannot be rebuilt', () => {
      const prototype = tfl.layers.Layer.prototype as unknown as { addWeight: unknown };
      const { addWeight } = prototype;
      const lm = model();
      lm.getConfig = () => {
        throw new Error('no config');
      };
      expect(() => resizeTokenEmbeddings(lm, V + 1)).to.throw('no config');
      expect(prototype.addWeight).to.equal(addWeight);
      disposeModel(lm);
    });

    it('refuses what it cannot resize, each by a sentence', () => {
      const lm = model({ tieWordEmbeddings: false });
      const foreign = tfl.sequential({
        layers: [tfl.layers.embedding({ inputDim: 5, outputDim: 3 }), tfl.layers.dense({ units: 5 })],
      });
      const message = (run: () => unknown): string => {
        try {
          run();
          return 'nothing thrown';
        } catch (error) {
          return (error as Error).message;
        }
      };
      expect(message(() => resizeTokenEmbeddings(foreign, 9))).to.equal(
        'resizeTokenEmbeddings: the model must have a layer of class ILRecTokenEmbedding, got none; build it with causalLM or loadPretrained',
      );
      expect(message(() => resizeTokenEmbeddings(lm, 10))).to.equal(
        'resizeTokenEmbeddings: vocabSize must be an integer of at least 11, that of embed_tokens, got 10; a vocabulary can only grow',
      );
      expect(
        message(() => resizeTokenEmbeddings(lm, 13, { ids: Int32Array.of(11, 12), embedding: normals(D, 1) })),
      ).to.equal(
        'resizeTokenEmbeddings: rows of embed_tokens must be 2 of 12 values, got 12 values in all; make them from the table of this model',
      );
      expect(
        message(() => resizeTokenEmbeddings(lm, 13, { ids: Int32Array.of(13), embedding: normals(D, 1) })),
      ).to.equal("resizeTokenEmbeddings: rows must belong to tokens in [0, 13), got 13; use the tokenizer's vocabSize");
      expect(
        message(() => resizeTokenEmbeddings(lm, 13, { ids: Int32Array.of(12, 12), embedding: normals(2 * D, 1) })),
      ).to.equal('resizeTokenEmbeddings: rows must belong to distinct tokens, got 1 twice; give one row per token');
      const carried = (name: string): string =>
        `resizeTokenEmbeddings: the model must have no adapters, gradient checkpointing or taps, got some on ${name}; resize it first, then add them`;
      const adapter = addLora(lm, { targets: ['q_proj'], rank: 2 });
      expect(message(() => resizeTokenEmbeddings(lm, 13))).to.equal(carried('causal_lm'));
      adapter.remove();
      const method = ilrec({ numNegativeLayers: 1 });
      lm.compile({ optimizer: 'sgd', loss: method.loss as (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor });
      method.attach(lm);
      expect(message(() => resizeTokenEmbeddings(lm, 13))).to.match(
        /^resizeTokenEmbeddings: the model must have no adapters, gradient checkpointing or taps, got some on /,
      );
      method.detach();
      disposeModel(lm);
      disposeModel(foreign);
    });
  });
});
