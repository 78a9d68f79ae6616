import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { buildPrefixTrie, constrainedBeamSearch } from '../../src/generation';
import { createModelDecoder, type ModelDecoderOptions } from '../../src/generation/model_decoder';
import { ilrec } from '../../src/ilrec/ilrec';
import { causalLM } from '../../src/models/causal_lm';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { forEachBackend } from '../support/backends';
import {
  attention,
  chain,
  dense,
  FOREIGN_MODELS,
  functional,
  norm,
  recurrent,
  SIZES,
  stack,
} from '../support/foreign_models';
import { integers, normals } from '../support/random';
import { maxDifference, softmax } from '../support/reference';

const { vocabSize: V, length: T } = SIZES;
const prompts = [integers(2, V, 1), integers(1, V, 2), integers(3, V, 3)];

function seeded(model: tfl.LayersModel): tfl.LayersModel {
  const values = model.getWeights().map((weight, i) => tf.tensor(normals(weight.size, i + 1, 0.6), weight.shape));
  model.setWeights(values);
  tf.dispose(values);
  return model;
}

const transformer = (): tfl.LayersModel =>
  seeded(functional((x) => chain(x, attention('a'), attention('b'), attention('c'), norm('final'), dense())));
const softmaxStack = (): tfl.LayersModel =>
  seeded(stack(recurrent('gru', 'a'), recurrent('gru', 'b'), dense('out', V, 'softmax')));
const manyInputs = (): tfl.LayersModel =>
  seeded(
    (
      FOREIGN_MODELS.find(
        ({ inputs, name }) => inputs !== undefined && name.startsWith('ids'),
      ) as (typeof FOREIGN_MODELS)[number]
    ).build(),
  );

/** Log-probabilities of the next token of one sequence, of a pass over it alone. */
function nextToken(model: tfl.LayersModel, sequence: readonly number[]): number[] {
  return tf.tidy(() => {
    const length = model.inputs.find(({ shape }) => shape[1] !== null)?.shape[1] ?? sequence.length;
    const ids = tf.tensor2d(
      [...sequence, ...new Array<number>(length - sequence.length).fill(3)],
      [1, length],
      'int32',
    );
    const inputs = model.inputs.map(({ name }) =>
      /mask/.test(name)
        ? tf.ones([1, length])
        : /pos/.test(name)
          ? tf.reshape(tf.range(0, length, 1, 'int32'), [1, length])
          : ids,
    );
    const row = ((model.predict(inputs) as tf.Tensor).arraySync() as number[][][])[0][sequence.length - 1];
    return row.every((value) => value >= 0) ? row.map(Math.log) : softmax(row).map(Math.log);
  });
}

describe('createModelDecoder', () => {
  forEachBackend(() => {
    for (const [name, build, options] of [
      ['a foreign transformer', transformer, {}],
      ['a recurrent stack of fixed length with a softmax head', softmaxStack, { batchSize: 2 }],
      ['a model that also takes a mask and positions', manyInputs, {}],
    ] as [string, () => tfl.LayersModel, ModelDecoderOptions][]) {
      it(`gives the next token of each beam as ${name} does, through reordered beams`, () => {
        const model = build();
        const decoder = createModelDecoder(model, options);
        const numTensors = tf.memory().numTensors;
        const width = 2;
        const state = decoder.prefill(prompts, width);
        let beams = prompts.map((prompt) => [[...prompt]]);
        const check = (): void => {
          const logits = tf.tidy(() => decoder.project(decoder.hidden(state)).arraySync());
          beams
            .flat()
            .forEach((sequence, row) =>
              expect(maxDifference(softmax(logits[row]).map(Math.log), nextToken(model, sequence))).to.be.below(2e-5),
            );
        };
        check();
        for (const [tokens, parents] of [
          [integers(6, V, 4), new Int32Array(6)],
          [integers(6, V, 5), Int32Array.of(1, 0, 1, 1, 0, 1)],
        ]) {
          decoder.step(state, tokens, parents);
          beams = beams.map((own, user) =>
            Array.from({ length: width }, (_, beam) => [
              ...own[parents[user * width + beam]],
              tokens[user * width + beam],
            ]),
          );
          check();
        }
        const some = tf.tidy(() => decoder.project(decoder.hidden(state), Int32Array.of(7, 0, 18)).arraySync());
        const all = tf.tidy(() => decoder.project(decoder.hidden(state)).arraySync());
        expect(some).to.deep.equal(all.map((row) => [row[7], row[0], row[18]]));
        decoder.dispose(state);
        expect(tf.memory().numTensors).to.equal(numTensors);
        model.dispose();
      });
    }

    it('ranks items as the decoder with a cache does, on a model that both take', async () => {
      const model = causalLM({
        vocabSize: V,
        hiddenSize: 8,
        numHiddenLayers: 2,
        numAttentionHeads: 2,
        initializerRange: 0.4,
      });
      const trie = buildPrefixTrie(Array.from({ length: 11 }, (_, item) => [1 + (item % 3), 4 + item, 15]));
      const [cached, plain] = [
        await constrainedBeamSearch(createCausalDecoder(model), trie, prompts),
        await constrainedBeamSearch(createModelDecoder(model), trie, prompts),
      ];
      plain.forEach(({ items, scores }, user) => {
        expect([...items]).to.deep.equal([...cached[user].items]);
        expect(maxDifference(scores, cached[user].scores)).to.be.below(1e-5);
      });
    });

    it('recommends with a foreign model that ilrec has trained, tapped or not: the best item is the one that the model scores highest', async () => {
      const model = transformer();
      const method = ilrec();
      model.compile({ optimizer: tf.train.sgd(0.1), loss: method.loss });
      method.attach(model);
      await model.trainOnBatch(
        tf.tensor2d(integers(2 * T, V, 8), [2, T], 'int32'),
        tf.tensor2d(integers(2 * T, V, 9), [2, T], 'int32'),
      );
      const items = [[2, 5], [2, 6], [9], [4, 5, 6]];
      const ranked = await constrainedBeamSearch(createModelDecoder(model), buildPrefixTrie(items), prompts);
      method.detach();
      prompts.forEach((prompt, user) => {
        const scores = items.map((tokens) =>
          tokens.reduce((sum, token, at) => sum + nextToken(model, [...prompt, ...tokens.slice(0, at)])[token], 0),
        );
        const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
        expect([...ranked[user].items]).to.deep.equal(order);
        expect(
          maxDifference(
            ranked[user].scores,
            order.map((item) => scores[item]),
          ),
        ).to.be.below(2e-5);
      });
    });

    it('says which output or input is to be named, and what does not fit', () => {
      const ids = tfl.input({ shape: [null], dtype: 'int32', name: 'left' });
      const other = tfl.input({ shape: [null], dtype: 'int32', name: 'right' });
      const table = tfl.layers.embedding({ inputDim: V, outputDim: 4 });
      const joined = tfl.layers
        .add()
        .apply([table.apply(ids), table.apply(other)] as tfl.SymbolicTensor[]) as tfl.SymbolicTensor;
      const twoInputs = tfl.model({ inputs: [ids, other], outputs: chain(joined, dense()) });
      expect(() => createModelDecoder(twoInputs)).to.throw(
        'createModelDecoder: one input must take the token ids [B, T], and others a mask or positions, got left [?, ?], right [?, ?]; make them with the option inputs',
      );
      const decoder = createModelDecoder(twoInputs, { inputs: (tokens) => [tokens, tokens] });
      decoder.dispose(decoder.prefill(prompts, 1));

      const twoOutputs = functional((x) => [chain(x, dense('a')), chain(x, dense('b'))]);
      expect(() => createModelDecoder(twoOutputs)).to.throw(
        /^createModelDecoder: one output must give logits \[B, T, V\], got a \[\?, \?, 19\], b \[\?, \?, 19\]; name it with the option output$/,
      );
      expect(createModelDecoder(twoOutputs, { output: 'b' }).vocabSize).to.equal(V);

      const fixed = createModelDecoder(softmaxStack());
      expect(() => fixed.prefill([new Int32Array(T + 1)], 1)).to.throw(
        'createModelDecoder: the model takes 6 tokens, got 7 of a prompt and its continuation; shorten the prompts',
      );
      expect(() => fixed.prefill([[1], []], 1)).to.throw('prefill: every prompt needs a token, got none at prompt 1');
      expect(() => createModelDecoder(softmaxStack(), { batchSize: 0 })).to.throw(
        'createModelDecoder: batchSize must be an integer of at least 1, got 0',
      );
    });
  });
});
