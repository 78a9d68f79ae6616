import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type { CausalLMConfig } from '../../src/models/causal_lm';
import { causalLM } from '../../src/models/causal_lm';
import { gpt2 } from '../../src/models/gpt2';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { forEachBackend } from '../support/backends';
import { integers } from '../support/random';

const VOCAB = 29;
const config: CausalLMConfig = {
  vocabSize: VOCAB,
  hiddenSize: 24,
  numHiddenLayers: 3,
  numAttentionHeads: 6,
  numKeyValueHeads: 2,
  initializerRange: 0.3,
};

const shape = {
  vocabSize: VOCAB,
  hiddenSize: 24,
  intermediateSize: 31,
  numHiddenLayers: 3,
  numAttentionHeads: 6,
  maxPositionEmbeddings: 13,
  initializerRange: 0.3,
};
const switches = {
  hiddenAct: 'gelu_new',
  layerNormEpsilon: 1e-5,
  scaleAttnWeights: true,
  scaleAttnByInverseLayerIdx: true,
  attentionDropout: 0,
  hiddenDropout: 0,
  embeddingDropout: 0,
} as const;

/** The models that the decoder runs. */
const models: Record<string, () => ReturnType<typeof causalLM>> = {
  tied: () => causalLM(config),
  'one layer': () => causalLM({ ...config, numHiddenLayers: 1 }),
  untied: () => causalLM({ ...config, tieWordEmbeddings: false }),
  'sliding window of 4 in two layers': () =>
    causalLM({ ...config, slidingWindow: 4, layerTypes: ['sliding_attention', 'full_attention', 'sliding_attention'] }),
  'sliding window of 1': () => causalLM({ ...config, slidingWindow: 1 }),
  'biases, norms of queries and keys, llama3 scaling': () =>
    causalLM({
      ...config,
      qkNorm: true,
      qkvBias: true,
      mlpBias: true,
      ropeScaling: {
        ropeType: 'llama3',
        factor: 4,
        lowFreqFactor: 1,
        highFreqFactor: 2,
        originalMaxPositionEmbeddings: 9,
      },
    }),
  'GPT-2': () => gpt2({ ...shape, ...switches, tieWordEmbeddings: true }),
};

describe('createCausalDecoder', () => {
  forEachBackend(() => {
    const prompts = [integers(5, VOCAB, 1), integers(1, VOCAB, 2), integers(7, VOCAB, 3)];
    const sameLength = [7, 8, 9].map((seed) => integers(6, VOCAB, seed));

    const cases = Object.entries(models).flatMap(([name, make]) => [
      { name, make, batch: prompts },
      { name: `${name}, prompts of one length`, make, batch: sameLength },
    ]);
    for (const { name, make, batch } of cases) {
      it(`gives the logits of the whole model, prompt and three steps of reordered beams: ${name}`, () => {
        const model = make();
        const decoder = createCausalDecoder(model);
        const width = 3;
        const state = decoder.prefill(batch, width);
        let beams = batch.map((prompt) => [[...prompt]]);
        const check = (): void => {
          const logits = tf.tidy(() => decoder.project(decoder.hidden(state)).dataSync());
          const expected = beams.flat().flatMap((ids) => lastLogits(model, ids));
          expect(Math.max(...expected.map((value, at) => Math.abs(value - logits[at])))).to.be.below(2e-5);
        };
        check();
        for (const [tokens, parents] of [
          [integers(9, VOCAB, 4), new Int32Array(9)],
          [integers(9, VOCAB, 5), Int32Array.of(2, 0, 0, 1, 1, 2, 0, 2, 1)],
          [integers(9, VOCAB, 6), Int32Array.of(1, 2, 0, 0, 0, 0, 2, 1, 0)],
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
        decoder.dispose(state);
        model.dispose();
      });
    }

    it('projects onto chosen tokens only', () => {
      const model = causalLM(config);
      const decoder = createCausalDecoder(model);
      const state = decoder.prefill(prompts, 2);
      const all = tf.tidy(() => decoder.project(decoder.hidden(state)).arraySync());
      const some = tf.tidy(() => decoder.project(decoder.hidden(state), Int32Array.of(7, 0, 28)).arraySync());
      expect(some.map((row) => row.map((v) => v.toFixed(4)))).to.deep.equal(
        all.map((row) => [row[7], row[0], row[28]].map((v) => v.toFixed(4))),
      );
      decoder.dispose(state);
      model.dispose();
    });

    it('leaves no tensor behind', () => {
      const model = causalLM(config);
      const decoder = createCausalDecoder(model);
      const before = tf.memory().numTensors;
      const state = decoder.prefill(prompts, 2);
      decoder.step(state, integers(6, VOCAB, 1), new Int32Array(6));
      decoder.step(state, integers(6, VOCAB, 1), new Int32Array(6));
      decoder.dispose(state);
      expect(tf.memory().numTensors).to.equal(before);
      model.dispose();
    });

    it('refuses an empty prompt', () => {
      expect(() => createCausalDecoder(causalLM(config)).prefill([[1], []], 2)).to.throw(
        'createCausalDecoder: every prompt must have at least one token, got none at prompt 1',
      );
    });
  });
});

function lastLogits(model: ReturnType<typeof causalLM>, ids: number[]): number[] {
  return tf.tidy(() => {
    const logits = (
      model.predict(tf.tensor2d([ids], [1, ids.length], 'int32')) as tf.Tensor
    ).arraySync() as number[][][];
    return logits[0][ids.length - 1];
  });
}
