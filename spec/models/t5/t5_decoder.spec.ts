import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import type { CausalDecoder } from '../../../src/generation/decoder';
import { constrainedBeamSearch } from '../../../src/generation/constrained_beam_search';
import { buildPrefixTrie } from '../../../src/generation/prefix_trie';
import { causalLM } from '../../../src/models/causal_lm';
import { disposeModel } from '../../../src/models/dispose_model';
import { t5, type T5Config } from '../../../src/models/t5/t5';
import { createT5Decoder } from '../../../src/models/t5/t5_decoder';
import { forEachBackend, forEachDevice } from '../../support/backends';
import { integers } from '../../support/random';
import { logSumExp, maxDifference, toRows } from '../../support/reference';

const VOCAB = 29;
const config: T5Config = {
  vocabSize: VOCAB,
  hiddenSize: 14,
  headDim: 5,
  intermediateSize: 17,
  numHiddenLayers: 2,
  numDecoderLayers: 3,
  numAttentionHeads: 3,
};
const models: Readonly<Record<string, T5Config>> = {
  'T5 1.0': config,
  'T5 1.1': { ...config, hiddenAct: 'gelu_new', gatedMlp: true, tieWordEmbeddings: false },
};
/** Tokens from 1 on: 0 is padding. */
const ids = (length: number, seed: number): Int32Array => integers(length, VOCAB - 1, seed).map((id) => id + 1);
const prompts = [ids(5, 1), ids(1, 2), ids(7, 3)];

/** Logits [T, V] of the whole model, for the start token and what follows. */
async function logitsOf(model: tfl.LayersModel, prompt: Int32Array, written: readonly number[]): Promise<number[][]> {
  const logits = tf.tidy(() => {
    const read = tf.tensor2d(prompt, [1, prompt.length], 'int32');
    return model.predict([read, tf.tensor2d([[0, ...written]], undefined, 'int32')]) as tf.Tensor;
  });
  return toRows(await logits.data().finally(() => logits.dispose()), VOCAB);
}

describe('createT5Decoder', () => {
  forEachDevice(() => {
    for (const [name, settings] of Object.entries(models)) {
      it(`gives the logits of the whole model, prompt and three steps of reordered beams: ${name}`, async () => {
        const model = t5(settings);
        const decoder: CausalDecoder = createT5Decoder(model);
        const width = 3;
        const state = decoder.prefill(prompts, width);
        let beams: number[][][] = prompts.map(() => [[]]);
        const check = async (): Promise<void> => {
          const given = tf.tidy(() => decoder.project(decoder.hidden(state)));
          const logits = await given.data().finally(() => given.dispose());
          const expected: number[] = [];
          for (const [user, own] of beams.entries())
            for (const written of own)
              expected.push(...((await logitsOf(model, prompts[user], written)).at(-1) as number[]));
          expect(maxDifference(logits, expected)).to.be.below(2e-5);
        };
        await check();
        for (const [tokens, parents] of [
          [ids(9, 4), new Int32Array(9)],
          [ids(9, 5), Int32Array.of(2, 0, 0, 1, 1, 2, 0, 2, 1)],
          [ids(9, 6), Int32Array.of(1, 2, 0, 0, 0, 0, 2, 1, 0)],
        ]) {
          decoder.step(state, tokens, parents);
          beams = beams.map((own, user) =>
            Array.from({ length: width }, (_, beam) => [
              ...own[parents[user * width + beam]],
              tokens[user * width + beam],
            ]),
          );
          await check();
        }
        decoder.dispose(state);
        disposeModel(model);
      });
    }

    it('lets beams as wide as the trie rank as scoring every item does', async () => {
      const model = t5(config);
      const itemTokens = [
        [3, 9],
        [3, 10],
        [4, 9],
        [4, 11, 7],
        [5, 10],
      ];
      const decoder = createT5Decoder(model);
      const lists = await constrainedBeamSearch(decoder, buildPrefixTrie(itemTokens), prompts, { beamWidth: 5 });
      for (const [user, { items, scores }] of lists.entries()) {
        const expected: number[] = [];
        for (const tokens of itemTokens) {
          const logits = await logitsOf(model, prompts[user], tokens.slice(0, -1));
          expected.push(tokens.reduce((sum, token, t) => sum + logits[t][token] - logSumExp(logits[t]), 0));
        }
        const order = [0, 1, 2, 3, 4].sort((a, b) => expected[b] - expected[a]);
        expect([...items]).to.deep.equal(order);
        expect(
          maxDifference(
            scores,
            order.map((item) => expected[item]),
          ),
        ).to.be.below(1e-4);
      }
      disposeModel(model);
    });
  });

  forEachBackend(() => {
    it('projects onto chosen tokens only, and begins with the token that it is told', () => {
      const model = t5(config);
      const [usual, other] = [createT5Decoder(model), createT5Decoder(model, { decoderStartTokenId: 6 })];
      const [state, begun] = [usual.prefill(prompts, 2), other.prefill(prompts, 2)];
      tf.tidy(() => {
        const all = usual.project(usual.hidden(state)).arraySync();
        const some = usual.project(usual.hidden(state), Int32Array.of(7, 0, 28)).arraySync();
        const chosen = all.map((row) => [row[7], row[0], row[28]]);
        expect(maxDifference(some.flat(), chosen.flat())).to.be.below(1e-5);
        const read = tf.tensor2d(prompts[2], [1, 7], 'int32');
        const logits = model.predict([read, tf.tensor2d([[6]], [1, 1], 'int32')]) as tf.Tensor;
        expect(maxDifference(other.project(other.hidden(begun)).arraySync()[2], logits.dataSync())).to.be.below(1e-5);
      });
      usual.dispose(state);
      other.dispose(begun);
      disposeModel(model);
    });

    it('leaves no tensor behind', () => {
      const model = t5(config);
      const decoder = createT5Decoder(model);
      const before = tf.memory().numTensors;
      const state = decoder.prefill(prompts, 2);
      decoder.step(state, ids(6, 1), new Int32Array(6));
      decoder.step(state, ids(6, 1), new Int32Array(6));
      decoder.dispose(state);
      expect(tf.memory().numTensors).to.equal(before);
      disposeModel(model);
    });

    it('refuses an empty prompt, and another model', () => {
      const model = t5(config);
      expect(() => createT5Decoder(model).prefill([Int32Array.of(1), []], 2)).to.throw(
        'createT5Decoder: every prompt must have at least one token, got none at prompt 1',
      );
      disposeModel(model);
      const causal = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1 });
      expect(() => createT5Decoder(causal)).to.throw(
        /^createT5Decoder: the model must be made by t5 or loadT5From, got layers InputLayer, ILRecTokenEmbedding/,
      );
      disposeModel(causal);
    });
  });
});
