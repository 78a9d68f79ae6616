import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { folderSource } from '../../../src/files/folder_source_node';
import { generate, type GenerateOptions } from '../../../src/generation/generate';
import { crossEntropy } from '../../../src/losses';
import { disposeModel } from '../../../src/models/dispose_model';
import { createT5Decoder } from '../../../src/models/t5/t5_decoder';
import { T5 } from '../../../src/models/t5/t5_family';
import { loadT5From, type PretrainedT5 } from '../../../src/pretrained/load_t5';
import { weightVariable } from '../../../src/pretrained/weight_variable';
import { forEachBackend } from '../../support/backends';
import { messageOf } from '../../support/folders';
import { type GoldenTensor, relativeError, valuesOf } from '../../support/golden';
import { repository } from '../../support/installed_package';
import { memorySource } from '../../support/memory_source';

/** spec/golden/t5/NAME/golden.json; its fields are described in spec/golden/README.md. */
interface GoldenT5 {
  readonly prompts: readonly number[][];
  readonly forward: readonly {
    readonly prompt: readonly number[];
    readonly written: readonly number[];
    readonly encoded: GoldenTensor;
    readonly logits: GoldenTensor;
  }[];
  readonly gradients: {
    readonly loss: number;
    readonly parameters: Readonly<Record<string, readonly [number, number]>>;
  };
  readonly generations: readonly {
    readonly options: Required<GenerateOptions>;
    readonly sequences: readonly (readonly { readonly tokens: readonly number[]; readonly score: number | null }[])[];
  }[];
}

const TOLERANCE = 1e-4; // relative, of each tensor's largest value
const START = 0;
const folderOf = (name: string): string => join(repository, 'spec', 'golden', 't5', name);
const goldenOf = (name: string): GoldenT5 => JSON.parse(readFileSync(join(folderOf(name), 'golden.json'), 'utf8'));

/** The model with what the encoder's final norm returns as its first output. */
function withEncoded({ inputs, outputs, layers }: tfl.LayersModel): tfl.LayersModel {
  const norm = layers.find(({ name }) => name === 'encoder_norm') as tfl.layers.Layer;
  return tfl.model({ inputs, outputs: [norm.output as tfl.SymbolicTensor, ...outputs] });
}

/** Prompts padded to the longest, and what was written but the last token, behind the start token. */
function inputsOf(forward: GoldenT5['forward']): tf.Tensor[] {
  const longest = Math.max(...forward.map(({ prompt }) => prompt.length));
  return [
    tf.tensor2d(
      forward.map(({ prompt }) => [...prompt, ...Array.from({ length: longest - prompt.length }, () => 0)]),
      undefined,
      'int32',
    ),
    tf.tensor2d(
      forward.map(({ written }) => [START, ...written.slice(0, -1)]),
      undefined,
      'int32',
    ),
  ];
}

describe('pretrained T5', () => {
  forEachBackend((backend) => {
    for (const name of ['t5_1_0', 't5_1_1']) {
      describe(`${name}, made by transformers (spec/golden/make_t5.py)`, () => {
        const golden = goldenOf(name);
        let loaded: PretrainedT5;
        let numTensors: number;

        before(async () => {
          numTensors = tf.memory().numTensors;
          loaded = await loadT5From(folderSource(folderOf(name)));
        });

        it("gives the encoder's states and the logits, of prompts of two lengths at once", () => {
          tf.tidy(() => {
            const [encoded, logits] = withEncoded(loaded.model).predict(inputsOf(golden.forward)) as tf.Tensor[];
            golden.forward.forEach((expected, row) => {
              const [length, size] = expected.encoded.shape;
              const states = tf.slice(encoded, [row, 0, 0], [1, length, size]).dataSync();
              expect(relativeError(states, valuesOf(expected.encoded))).to.be.at.most(TOLERANCE);
              const scores = tf.slice(logits, [row, 0, 0], [1, ...expected.logits.shape]).dataSync();
              expect(relativeError(scores, valuesOf(expected.logits))).to.be.at.most(TOLERANCE);
            });
          });
        });

        it('writes what transformers writes, greedy and with beams, whatever generation_config.json says', async () => {
          expect(loaded.generationConfig).to.include({ do_sample: true, num_beams: 4, max_new_tokens: 2 });
          const decoder = createT5Decoder(loaded.model);
          for (const { options, sequences } of golden.generations.slice(backend === 'cpu' ? 3 : 0)) {
            const written = await generate(decoder, golden.prompts, options);
            expect(written.map((rows) => rows.map(({ tokens }) => [...tokens]))).to.deep.equal(
              sequences.map((rows) => rows.map(({ tokens }) => tokens)),
            );
            sequences.flat().forEach(({ score }, at) => {
              if (score !== null) expect(written.flat()[at].score).to.be.closeTo(score, TOLERANCE * Math.abs(score));
            });
          }
        });

        it('has the loss and the gradients of every parameter that PyTorch has', () => {
          const { loss, parameters } = golden.gradients;
          const [first] = golden.forward;
          tf.tidy(() => {
            const { value, grads } = tf.variableGrads(() => {
              const logits = loaded.model.apply(inputsOf([first])) as tf.Tensor3D;
              const rows = tf.reshape(logits, [first.written.length, -1]) as tf.Tensor2D;
              return crossEntropy(rows, tf.tensor1d([...first.written], 'int32')) as tf.Scalar;
            });
            expect(value.dataSync()[0]).to.be.closeTo(loss, TOLERANCE * loss);
            const weights = T5.weights(loaded.config, name);
            expect(weights.map((weight) => weight.name)).to.have.members(Object.keys(parameters));
            for (const weight of weights) {
              const [norm, product] = parameters[weight.name];
              const gradient = grads[weightVariable(loaded.model, weight).name];
              const values = (weight.transposed ? tf.transpose(gradient) : gradient).dataSync<'float32'>();
              expect(Math.hypot(...values), weight.name).to.be.closeTo(norm, TOLERANCE * norm);
              expect(
                values.reduce((sum, g, i) => sum + g * Math.cos(0.7 * (i + 1)), 0),
                weight.name,
              ).to.be.closeTo(product, TOLERANCE * norm);
            }
          });
        });

        it('leaves no tensor behind', () => {
          disposeModel(loaded.model);
          expect(tf.memory().numTensors).to.equal(numTensors);
        });
      });
    }
  });

  describe('config.json and the files', () => {
    before(() => tf.setBackend('cpu'));
    const weights = (name: string): Uint8Array => readFileSync(join(folderOf(name), 'model.safetensors'));
    const configOf = (name: string): object => JSON.parse(readFileSync(join(folderOf(name), 'config.json'), 'utf8'));
    const load = (name: string, changes: object): Promise<PretrainedT5> =>
      loadT5From(
        memorySource({
          'config.json': { ...configOf(name), ...changes },
          'model.safetensors': new Uint8Array(weights(name)),
        }),
      );
    const logitsOf = async (name: string, changes: object): Promise<ArrayLike<number>> => {
      const { model } = await load(name, changes);
      const values = tf.tidy(() => (model.predict(inputsOf(goldenOf(name).forward)) as tf.Tensor).dataSync());
      disposeModel(model);
      return values;
    };

    it('give a T5 1.1 its own head and unscaled logits also as transformers 5 writes its config', async () => {
      const written = { tie_word_embeddings: true, scale_decoder_outputs: false };
      expect(await logitsOf('t5_1_1', written)).to.deep.equal(await logitsOf('t5_1_1', {}));
    });

    it('give a head of its own scaled logits where the config ties it', async () => {
      const [scaled, plain] = [await logitsOf('t5_1_1', { tie_word_embeddings: true }), await logitsOf('t5_1_1', {})];
      const expected = Float32Array.from(plain, (logit) => logit / Math.sqrt(18));
      expect(relativeError(scaled, expected)).to.be.below(1e-6);
    });

    it('are refused where they do not fit together', async () => {
      expect(await messageOf(load('t5_1_0', { num_decoder_layers: 3 }))).to.match(
        /^loadT5From: memory must hold every tensor of T5ForConditionalGeneration, got none of "decoder\.block\.2\./,
      );
      expect(await messageOf(load('t5_1_0', { num_decoder_layers: 1 }))).to.match(
        /^loadT5From: memory must hold only the tensors of .*, got "decoder\.block\.1\..* as well/,
      );
      expect(await messageOf(load('t5_1_0', { d_kv: 7 }))).to.match(
        /^loadT5From: config\.json of memory says that "encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight" is \[21, 18\]/,
      );
    });

    it('are refused where the model is another one', async () => {
      expect(await messageOf(load('t5_1_0', { model_type: 'mt5' }))).to.equal(
        'loadT5From: model_type in memory/config.json must be t5, got "mt5"; use a T5 checkpoint, or loadPretrainedFrom ' +
          'for a causal language model',
      );
      expect(await messageOf(load('t5_1_0', { architectures: ['T5EncoderModel'] }))).to.equal(
        'loadT5From: architectures in memory/config.json must name T5ForConditionalGeneration, got ["T5EncoderModel"]; ' +
          'use the checkpoint of the whole model',
      );
      expect(await messageOf(load('t5_1_0', { feed_forward_proj: 'gated-tanh' }))).to.equal(
        'loadT5From: feed_forward_proj in memory/config.json must be one of silu, gelu, gelu_new, gelu_pytorch_tanh, ' +
          'relu, alone or after "gated-", got gated-tanh',
      );
    });
  });
});
