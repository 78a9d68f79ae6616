import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { readJson } from '../../src/files/file_source';
import { folderSource } from '../../src/files/folder_source_node';
import { generate } from '../../src/generation/generate';
import { createModelDecoder } from '../../src/generation/model_decoder';
import { ilrec } from '../../src/ilrec/ilrec';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { FAMILIES, familyOf } from '../../src/models/families';
import { loadPretrainedFrom, type Pretrained } from '../../src/pretrained/load_pretrained';
import { weightVariable } from '../../src/pretrained/weight_variable';
import { TextTokenizer } from '../../src/tokenizers/text_tokenizer';
import { disposeModel } from '../../src/models/dispose_model';
import { forEachBackend } from '../support/backends';
import {
  checkpointFolder,
  type GoldenCheckpoint,
  goldenCheckpoints,
  readGoldenCheckpoint,
  relativeError,
  valuesOf,
} from '../support/golden';

const TOLERANCE = 1e-4; // relative, of each tensor's largest value; what is seen is 3e-6
const FAR_TOLERANCE = 2e-5; // exact angles are off by 5e-5 to 1e-4

/**
 * The model with the outputs that transformers calls hidden states: the embeddings, each block's, the final norm's; and
 * the logits.
 */
function withHiddenStates(model: tfl.LayersModel): tfl.LayersModel {
  const blocks = model.layers.filter(({ name }) => /^(layers|h)_\d+$/.test(name));
  const norm = model.layers.find(({ name }) => name === 'norm' || name === 'ln_f') as tfl.layers.Layer;
  const outputs = [blocks[0].input, ...blocks.map(({ output }) => output), norm.output, model.outputs[0]];
  return tfl.model({ inputs: model.inputs, outputs: outputs as tfl.SymbolicTensor[] });
}

function predict(model: tfl.LayersModel, prompt: readonly number[]): Float32Array[] {
  return tf.tidy(() => {
    const outputs = model.predict(tf.tensor2d([...prompt], [1, prompt.length], 'int32'));
    return [outputs].flat().map((output) => output.dataSync() as Float32Array);
  });
}

/** Mean over the positions that have a token after them. */
function crossEntropyOf(logits: tf.Tensor3D, prompt: readonly number[]): tf.Scalar {
  const [, length, vocabSize] = logits.shape;
  const rows = tf.reshape(tf.slice(logits, [0, 0, 0], [1, length - 1, vocabSize]), [length - 1, vocabSize]);
  const next = tf.oneHot(tf.tensor1d(prompt.slice(1), 'int32'), vocabSize);
  return tf.neg(tf.mean(tf.sum(tf.mul(next, tf.logSoftmax(rows)), 1))) as tf.Scalar;
}

describe('pretrained families', () => {
  it('have a golden checkpoint each', async () => {
    const types = await Promise.all(
      goldenCheckpoints.map(
        async (name) =>
          JSON.parse(new TextDecoder().decode(await folderSource(checkpointFolder(name)).read('config.json')))
            .model_type,
      ),
    );
    expect([...new Set(types)]).to.have.members(FAMILIES.map(({ modelType }) => modelType));
  });

  forEachBackend((backend) => {
    for (const name of goldenCheckpoints) {
      describe(`${name}, made by transformers (spec/golden/make_checkpoints.py)`, () => {
        const golden: GoldenCheckpoint = readGoldenCheckpoint(name);
        let loaded: Pretrained;
        let numTensors: number;

        before(async () => {
          numTensors = tf.memory().numTensors;
          loaded = await loadPretrainedFrom(folderSource(checkpointFolder(name)));
        });

        it('gives the hidden states of every layer and the logits', () => {
          const model = withHiddenStates(loaded.model);
          for (const { prompt, hiddenStates, normed, logits } of golden.forward) {
            const outputs = predict(model, prompt);
            [...hiddenStates, normed, logits].forEach((expected, at) => {
              expect(
                relativeError(outputs[at], valuesOf(expected)),
                `output ${at} of ${hiddenStates.length + 2}`,
              ).to.be.at.most(TOLERANCE);
            });
          }
        });

        it('writes what transformers writes, greedy and with beams, whatever generation_config.json says', async () => {
          expect(loaded.generationConfig).to.include({ do_sample: true, num_beams: 4, max_new_tokens: 2 });
          const decoder = createCausalDecoder(loaded.model);
          for (const { options, sequences } of backend === 'cpu'
            ? golden.generations.filter((_, kind) => kind % 4 === 1)
            : golden.generations) {
            const written = await generate(decoder, golden.prompts, options); // prompts of two lengths at once
            expect(written.map((rows) => rows.map(({ tokens }) => [...tokens]))).to.deep.equal(
              sequences.map((rows) => rows.map(({ tokens }) => tokens)),
            );
            sequences.flat().forEach(({ score }, at) => {
              if (score !== null) expect(written.flat()[at].score).to.be.closeTo(score, TOLERANCE * Math.abs(score));
            });
          }
        });

        if (backend === 'wasm') {
          it('writes the same without a key-value cache', async () => {
            const { options, sequences } = golden.generations[3];
            const written = await generate(createModelDecoder(loaded.model), golden.prompts, options);
            expect(written.map((rows) => rows.map(({ tokens }) => [...tokens]))).to.deep.equal(
              sequences.map((rows) => rows.map(({ tokens }) => tokens)),
            );
          });
        }

        it('has the loss and the gradients of every parameter that PyTorch has', () => {
          const { loss, parameters } = golden.gradients;
          const [prompt] = golden.prompts;
          tf.tidy(() => {
            const ids = tf.tensor2d([...prompt], [1, prompt.length], 'int32');
            const { value, grads } = tf.variableGrads(() =>
              crossEntropyOf(loaded.model.apply(ids) as tf.Tensor3D, prompt),
            );
            expect(value.dataSync()[0]).to.be.closeTo(loss, TOLERANCE * loss);
            const weights = familyOf(loaded.config, name).weights(loaded.config, name);
            expect(weights.map((weight) => weight.name)).to.have.members(Object.keys(parameters));
            for (const weight of weights) {
              const [norm, product] = parameters[weight.name];
              const gradient = grads[weightVariable(loaded.model, weight).name];
              const values = (weight.transposed ? tf.transpose(gradient) : gradient).dataSync<'float32'>(); // in the checkpoint's layout
              expect(Math.hypot(...values), weight.name).to.be.closeTo(norm, TOLERANCE * norm);
              expect(
                values.reduce((sum, g, i) => sum + g * Math.cos(0.7 * (i + 1)), 0),
                weight.name,
              ).to.be.closeTo(product, TOLERANCE * norm);
            }
          });
        });

        it("is tapped by ilrec without options: the cross-entropy of its streamed head is PyTorch's", () => {
          const { model } = loaded;
          const [prompt] = golden.prompts;
          const method = ilrec({ numNegativeLayers: 2 });
          const optimizer = tf.train.sgd(0.1);
          model.compile({ optimizer, loss: method.loss, metrics: method.metrics });
          method.attach(model);
          const [total, crossEntropy, , , , numNegatives] = tf.tidy(() => {
            const ids = tf.tensor2d([...prompt], [1, prompt.length], 'int32');
            const labels = tf.tensor2d([...prompt.slice(1), -100], [1, prompt.length], 'int32');
            return (model.evaluate(ids, labels, { batchSize: 1 }) as tf.Scalar[]).map((term) => term.dataSync()[0]);
          });
          method.detach();
          optimizer.dispose();
          expect(crossEntropy).to.be.closeTo(golden.gradients.loss, TOLERANCE * golden.gradients.loss);
          expect(total).to.be.above(crossEntropy); // random weights rank many tokens above the next one
          expect(numNegatives).to.be.above(0);
        });

        const { far } = golden;
        if (far !== null && backend === 'wasm') {
          it(`rounds the angles of ${far.prompt.length} positions as float32 does`, () => {
            const [rows, columns] = far.logits.shape;
            const got = tf.tidy(() => {
              const logits = loaded.model.predict(
                tf.tensor2d([...far.prompt], [1, far.prompt.length], 'int32'),
              ) as tf.Tensor3D; // [1, T, V]
              return tf.slice(logits, [0, far.prompt.length - rows, 0], [1, rows, columns]).dataSync();
            });
            expect(relativeError(got, valuesOf(far.logits))).to.be.at.most(FAR_TOLERANCE);
          });
        }

        it(`has ${golden.tokenizer === null ? 'no' : 'a'} tokenizer`, () => {
          expect(loaded.tokenizer === null).to.equal(golden.tokenizer === null);
        });

        it('is the same after save and load', async () => {
          let saved: tf.io.ModelArtifacts | null = null;
          await loaded.model.save(
            tf.io.withSaveHandler(async (artifacts) => {
              saved = artifacts;
              return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
            }),
          );
          const reloaded = await tfl.loadLayersModel(tf.io.fromMemory(saved as unknown as tf.io.ModelArtifacts));
          const [prompt] = golden.prompts;
          expect(predict(reloaded, prompt)[0]).to.deep.equal(predict(loaded.model, prompt)[0]);
          disposeModel(reloaded);
        });

        it('leaves no tensor behind', () => {
          disposeModel(loaded.model);
          expect(tf.memory().numTensors).to.equal(numTensors);
        });
      });
    }
  });

  for (const name of goldenCheckpoints) {
    const { tokenizer: texts } = readGoldenCheckpoint(name);
    if (texts === null) continue;
    it(`${name} has the ids and texts of Python's tokenizers`, async () => {
      const source = folderSource(checkpointFolder(name));
      const tokenizer = TextTokenizer.fromJSON(
        await readJson(source, 'tokenizer.json', 'readJson'),
        await readJson(source, 'tokenizer_config.json', 'readJson'),
      );
      for (const { text, ids, idsWithSpecialTokens, decoded, decodedWithoutSpecialTokens } of texts) {
        expect([...tokenizer.encode(text)], JSON.stringify(text)).to.deep.equal(ids);
        expect([...tokenizer.encode(text, { addSpecialTokens: true })], JSON.stringify(text)).to.deep.equal(
          idsWithSpecialTokens,
        );
        expect(tokenizer.decode(ids, { skipSpecialTokens: false })).to.equal(decoded);
        expect(tokenizer.decode(ids, { skipSpecialTokens: true })).to.equal(decodedWithoutSpecialTokens);
      }
    });
  }
});
