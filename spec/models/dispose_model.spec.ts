import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { ilrec } from '../../src/ilrec/ilrec';
import { TokenEmbedding } from '../../src/layers/token_embedding';
import { causalLM } from '../../src/models/causal_lm';
import { disposeModel } from '../../src/models/dispose_model';
import { t5 } from '../../src/models/t5/t5';
import { forEachBackend } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { savedArtifacts } from '../support/saved_artifacts';

const [T, D] = [3, 5];
const dense = (name: string): tfl.layers.Layer => tfl.layers.dense({ name, units: D });
const through = (layer: tfl.layers.Layer, x: tfl.SymbolicTensor): tfl.SymbolicTensor =>
  layer.apply(x) as tfl.SymbolicTensor;
const lm = (tieWordEmbeddings: boolean): tfl.LayersModel =>
  causalLM({ vocabSize: 11, hiddenSize: 4, numHiddenLayers: 2, numAttentionHeads: 1, tieWordEmbeddings });

/** A model of which one layer is called three times. */
function threeCalls(layer = dense('shared')): tfl.LayersModel {
  const input = tfl.input({ shape: [T, D] });
  const once = through(layer, input);
  return tfl.model({ inputs: input, outputs: through(dense('out'), through(layer, through(layer, once))) });
}

/** A model that calls a model twice, which itself calls a layer three times. */
function nested(inner = threeCalls()): tfl.LayersModel {
  const input = tfl.input({ shape: [T, D] });
  return tfl.model({ inputs: input, outputs: through(dense('last'), through(inner, through(inner, input))) });
}

const MODELS: readonly (readonly [string, () => tfl.LayersModel])[] = [
  ['a tied language model', () => lm(true)],
  ['an untied language model', () => lm(false)],
  ['a layer called three times', threeCalls],
  ['a model called twice', nested],
  ['a sequential model that holds a model', () => tfl.sequential({ layers: [threeCalls(), dense('head')] })],
];

function callingModel(): tfl.LayersModel {
  const ids = tfl.input({ shape: [null], dtype: 'int32' });
  return tfl.model({ inputs: ids, outputs: through(dense('last'), through(lm(true), ids)) });
}

const OWN_MODELS: readonly (readonly [string, () => tfl.LayersModel])[] = [
  ['a tied language model', () => lm(true)],
  [
    'a language model of items',
    () => causalLM({ vocabSize: 5, items: {}, hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 1 }),
  ],
  ['a tied T5', () => t5({ vocabSize: 11, hiddenSize: 4, headDim: 2, intermediateSize: 4, numHiddenLayers: 1 })],
  [
    'a T5 with a head of its own',
    () =>
      t5({
        vocabSize: 11,
        hiddenSize: 4,
        headDim: 2,
        intermediateSize: 4,
        numHiddenLayers: 1,
        tieWordEmbeddings: false,
      }),
  ],
  ['a sequential model that holds a tied one', () => tfl.sequential({ layers: [lm(true)] })],
  ['a model that calls a tied one', callingModel],
];

describe('model.dispose()', () => {
  forEachBackend(() => {
    for (const [name, build] of OWN_MODELS) {
      it(`leaves no tensor of ${name}, made or loaded, and says so the second time`, async () => {
        const before = tf.memory().numTensors;
        const model = build();
        const artifacts = await savedArtifacts(model);
        const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
        for (const each of [model, loaded]) {
          each.dispose();
          // tfjs counts a model that another one calls once more
          for (const inner of each.layers)
            if ('layers' in inner && Reflect.get(inner, '_refCount') !== 0) inner.dispose();
          expect(() => each.dispose()).to.throw(/is already disposed/);
        }
        expect(tf.memory().numTensors).to.equal(before);
      });
    }

    it('keeps a tied embedding that another model has too, until that is disposed, in each order', () => {
      for (const last of ['first', 'second', 'disposeModel']) {
        const before = tf.memory().numTensors;
        const shared = new TokenEmbedding({ vocabSize: 11, hiddenSize: D });
        const build = (): tfl.LayersModel => {
          const ids = tfl.input({ shape: [T], dtype: 'int32' });
          return tfl.model({ inputs: ids, outputs: through(shared, through(dense('x'), through(shared, ids))) });
        };
        const pair = [build(), build()];
        const [kept, gone] = last === 'first' ? pair : [...pair].reverse();
        const x = tf.tensor2d([[1, 2, 3]], [1, T], 'int32');
        const logits = (): number[] => tf.tidy(() => [...(kept.predict(x) as tf.Tensor).dataSync()]);
        const expected = logits();
        if (last === 'disposeModel') {
          disposeModel(gone);
          disposeModel(gone);
        } else gone.dispose();
        expect(logits()).to.deep.equal(expected);
        kept.dispose();
        x.dispose();
        expect(tf.memory().numTensors, last).to.equal(before);
      }
    });

    it('frees a tied model that was trained with taps', async () => {
      const before = tf.memory().numTensors;
      const model = lm(true);
      const method = ilrec();
      model.compile({ optimizer: 'adam', loss: method.loss, metrics: method.metrics });
      const batch = () => ({ xs: tf.tensor2d([[1, 2]], [1, 2], 'int32'), ys: tf.tensor2d([[2, 3]], [1, 2], 'int32') });
      await model.fitDataset(
        datasetOf(() => [batch()]),
        { epochs: 1, verbose: 0, callbacks: [method.callback] },
      );
      model.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});

describe('disposeModel', () => {
  forEachBackend(() => {
    for (const [name, build] of MODELS) {
      it(`leaves no tensor of ${name}, called once, twice, or after dispose()`, () => {
        const before = tf.memory().numTensors;
        const [once, disposed] = [build(), build()];
        disposeModel(once);
        disposeModel(once);
        disposed.dispose();
        disposeModel(disposed);
        expect(tf.memory().numTensors).to.equal(before);
      });
    }

    it('leaves no tensor of a model that was saved and loaded', async () => {
      for (const build of [threeCalls, nested]) {
        const model = build();
        const artifacts = await savedArtifacts(model);
        const before = tf.memory().numTensors;
        disposeModel(await tfl.loadLayersModel(tf.io.fromMemory(artifacts)));
        expect(tf.memory().numTensors).to.equal(before);
        disposeModel(model);
      }
    });

    it('keeps the layers that another model calls, until that one is disposed', () => {
      const before = tf.memory().numTensors;
      const layer = dense('both');
      const [a, b] = [threeCalls(layer), threeCalls(layer)];
      const x = tf.ones([1, T, D]);
      const expected = tf.tidy(() => (b.predict(x) as tf.Tensor).dataSync());
      disposeModel(a);
      disposeModel(a);
      expect([...tf.tidy(() => (b.predict(x) as tf.Tensor).dataSync())]).to.deep.equal([...expected]);
      disposeModel(b);
      x.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('keeps a model that is a layer of another one, and frees it with that', () => {
      const before = tf.memory().numTensors;
      const inner = threeCalls();
      const outer = nested(inner);
      const x = tf.ones([1, T, D]);
      for (let i = 0; i < 3; i++) disposeModel(inner);
      tf.dispose([outer.predict(x) as tf.Tensor, x]);
      disposeModel(outer);
      disposeModel(inner);
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('frees an optimizer that the model made for itself', async () => {
      const before = tf.memory().numTensors;
      const model = lm(true);
      model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
      const [xs, ys] = [tf.tensor2d([[1, 2]], [1, 2], 'int32'), tf.zeros([1, 2, 11])];
      await model.trainOnBatch(xs, ys);
      tf.dispose([xs, ys]);
      disposeModel(model);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
