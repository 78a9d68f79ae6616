import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { addLora, type LoraAdapter, type LoraOptions, setActiveAdapter } from '../../src/lora';
import { setDropoutStep } from '../../src/layers';
import { causalLM, type CausalLMConfig } from '../../src/models/causal_lm';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { AdamW } from '../../src/training/adamw';
import { gradientCheckpointing } from '../../src/training/gradient_checkpointing';
import { forEachBackend } from '../support/backends';
import { messageOf } from '../support/folders';
import { adaptedWeights, assign, fillB, foreignModel, GatedBlock } from '../support/lora_models';
import { integers } from '../support/random';
import { centralDifferences, crossEntropyOf, maxDifference, mean } from '../support/reference';
import { referenceDecoder, type Weights, weightsOf } from '../support/reference_decoder';

const [B, T, V] = [2, 5, 13];
const config: CausalLMConfig = { vocabSize: V, hiddenSize: 8, intermediateSize: 11, numHiddenLayers: 2, numAttentionHeads: 2, numKeyValueHeads: 1, tieWordEmbeddings: false, initializerRange: 0.4, seed: 3 };
const sizes = { numHiddenLayers: 2, numAttentionHeads: 2, numKeyValueHeads: 1, ropeTheta: 10000, rmsNormEps: 1e-6 };
const values = integers(B * T, V, 1);
const labels = integers(B * T, V, 2);
const ids = (): tf.Tensor2D => tf.tensor2d(values, [B, T], 'int32');
const everything: LoraOptions = { targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj', 'lm_head'], rank: 3, alpha: 7 };
const foreignTargets = ['kernel', 'gated/gate'];

const predict = (model: tfl.LayersModel): Float32Array => tf.tidy(() => (model.predict(ids()) as tf.Tensor).dataSync<'float32'>().slice());
const train = (model: tfl.LayersModel): Float32Array => tf.tidy(() => (model.apply(ids(), { training: true }) as tf.Tensor).dataSync<'float32'>().slice());
const bytes = (model: tfl.LayersModel): number[][] => model.getWeights().map((weight) => [...weight.dataSync()]);
const loss = (_: tf.Tensor, logits: tf.Tensor): tf.Scalar => tf.tidy(() => {
  const logProbabilities = tf.logSoftmax(tf.reshape(logits, [-1, V]));
  const chosen = tf.sum(tf.mul(tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), V), 'float32'), logProbabilities), 1);
  return tf.neg(tf.mean(chosen)) as tf.Scalar;
});

/** Compiles, and takes steps with labels that the loss ignores. */
async function fit(model: tfl.LayersModel, steps = 2, optimizer: tf.Optimizer = tf.train.adam(0.05)): Promise<number[]> {
  model.compile({ optimizer, loss });
  Reflect.set(model, 'feedOutputShapes', [null]);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await model.trainOnBatch(ids(), tf.zeros([B, T]))) as number);
  return losses;
}

/** The float64 reference with weights W + scale A B. */
function reference(weights: Weights, adapter: LoraAdapter): { logits: number[][]; loss: number } {
  const adapted = new Map([...weights, ...adaptedWeights(adapter)]);
  const logits = Array.from({ length: B }, (_, b) => referenceDecoder(adapted, sizes, [...values.slice(b * T, (b + 1) * T)]).logits).flat();
  return { logits, loss: mean(logits.map((row, at) => crossEntropyOf(row, labels[at]))) };
}

describe('addLora', () => {
  forEachBackend(() => {
    it('adds the scaled product before bias and activation', () => {
      // x = [1, 2], W = I, A = [[1], [1]], B = [[-1, 2]], s = 6 / 1: x W + 6 (x A) B = [1, 2] + 6 * 3 * [-1, 2] = [-17, 38]; bias [1, 1], relu: [0, 39].
      const dense = tfl.layers.dense({ units: 2, activation: 'relu', inputShape: [2], name: 'only', weights: [tf.tensor2d([[1, 0], [0, 1]]), tf.tensor1d([1, 1])] });
      const model = tfl.sequential({ layers: [dense] });
      const adapter = addLora(model, { targets: 'only', rank: 1, alpha: 6 });
      adapter.pairs[0].a.write(tf.tensor2d([[1], [1]]));
      adapter.pairs[0].b.write(tf.tensor2d([[-1, 2]]));
      expect([...(model.predict(tf.tensor2d([[1, 2]])) as tf.Tensor).dataSync()]).to.deep.equal([0, 39]);
      model.dispose();
    });

    it('scales by alpha / rank, or alpha / sqrt(rank) with rsLora', () => {
      const model = causalLM(config);
      const scale = (options: Partial<LoraOptions>): number => {
        const adapter = addLora(model, { targets: 'q_proj', rank: 9, alpha: 6, ...options });
        const found = adapter.pairs[0].scale;
        adapter.remove();
        return found;
      };
      expect(scale({})).to.be.closeTo(2 / 3, 1e-12);
      expect(scale({ rsLora: true })).to.be.closeTo(2, 1e-12);
      model.dispose();
    });

    it('changes no prediction before training, because B starts at zero', () => {
      for (const [model, targets] of [[causalLM(config), everything.targets], [foreignModel(V), foreignTargets]] as const) {
        const before = predict(model);
        addLora(model, { targets });
        expect(maxDifference(predict(model), before)).to.be.below(1e-6);
        model.dispose();
      }
    });

    it('computes with W + s A B on every projection and the head, in predict, training and the decoder, against float64', () => {
      for (const tieWordEmbeddings of [false, true]) {
        const model = causalLM({ ...config, tieWordEmbeddings });
        const weights = weightsOf(model);
        const adapter = addLora(model, everything);
        fillB(adapter);
        const { logits } = reference(weights, adapter);
        expect(maxDifference(predict(model), logits.flat())).to.be.below(2e-5);
        expect(maxDifference(train(model), logits.flat())).to.be.below(2e-5);
        const decoder = createCausalDecoder(model);
        const state = decoder.prefill([values.slice(0, T)], 1);
        tf.tidy(() => {
          const hidden = decoder.hidden(state);
          expect(maxDifference(decoder.project(hidden).dataSync(), logits[T - 1])).to.be.below(2e-5);
          expect(maxDifference(decoder.project(hidden, Int32Array.of(4, 2)).dataSync(), [4, 2].map((v) => logits[T - 1][v]))).to.be.below(2e-5);
        });
        decoder.dispose(state);
        adapter.remove();
        model.dispose();
      }
    });

    it('computes with W + s A B on dense, time-distributed, recurrent and own layers, as the same model with these weights does', () => {
      const [model, plain] = [foreignModel(V), foreignModel(V)];
      const adapter = addLora(model, { targets: foreignTargets, rank: 2 });
      expect(adapter.pairs.map(({ site }) => [site.path, site.mechanism])).to.deep.equal([
        ['lstm_5/kernel', 'weight'], ['lstm_6/kernel', 'weight'], ['mixer/kernel', 'dense'], ['timed/kernel', 'dense'], ['gated/gate', 'weight'], ['head/kernel', 'dense'],
      ]);
      fillB(adapter);
      const adapted = adaptedWeights(adapter);
      for (const variable of plain.weights) {
        const rows = adapted.get(variable.originalName);
        if (rows !== undefined) assign(variable, rows);
      }
      expect(maxDifference(predict(model), predict(plain))).to.be.below(2e-5);
      expect(maxDifference(train(model), predict(plain))).to.be.below(2e-5);
      adapter.remove();
      for (const either of [model, plain]) either.dispose();
    });

    it('has the gradients of central differences of the float64 reference, at A and B, and none of the base', () => {
      const model = causalLM(config);
      const weights = weightsOf(model);
      const adapter = addLora(model, everything);
      fillB(adapter);
      const { value, grads } = tf.variableGrads(() => loss(ids(), model.apply(ids(), { training: true }) as tf.Tensor)); // all trainable variables there are
      expect(value.dataSync()[0]).to.be.closeTo(reference(weights, adapter).loss, 1e-5);
      expect(Object.keys(grads).sort()).to.deep.equal(adapter.parameters.map(({ name }) => name).sort());
      adapter.parameters.forEach((parameter, i) => {
        const at = integers(1, tf.util.sizeFromShape(parameter.shape as number[]), i)[0];
        const start = parameter.read().dataSync().slice();
        const numeric = centralDifferences((moved) => {
          const changed = Float32Array.from(start);
          changed[at] = moved[0];
          assign(parameter, changed);
          return reference(weights, adapter).loss;
        }, [start[at]], 2 ** -8)[0];
        assign(parameter, start);
        expect(grads[parameter.name].dataSync()[at], parameter.originalName).to.be.closeTo(numeric, 1e-4);
      });
      tf.dispose([value, ...Object.values(grads)]);
      model.dispose();
    });

    it('has gradients by the chain rule where a layer reads the adapted weight: dA = s dW B^T, dB = s A^T dW', () => {
      const [model, plain] = [foreignModel(V), foreignModel(V)];
      const adapter = addLora(model, { targets: ['lstm_5/kernel', 'gated/gate', 'timed', 'head'], rank: 2 });
      fillB(adapter);
      const adapted = adaptedWeights(adapter);
      for (const variable of plain.weights) if (adapted.has(variable.originalName)) assign(variable, adapted.get(variable.originalName) as number[][]);
      tf.tidy(() => {
        const of = (which: tfl.LayersModel) => tf.variableGrads(() => loss(ids(), which.apply(ids(), { training: true }) as tf.Tensor), which.trainableWeights.map((weight) => weight.read() as tf.Variable)).grads;
        const [own, full] = [of(model), of(plain)];
        for (const { site, a, b, scale } of adapter.pairs) {
          const dW = full[(plain.weights.find(({ originalName }) => originalName === site.path) as tfl.LayerVariable).name] as tf.Tensor2D;
          expect(maxDifference(own[a.name].dataSync(), tf.mul(tf.matMul(dW, b.read() as tf.Tensor2D, false, true), scale).dataSync()), site.path).to.be.below(1e-5);
          expect(maxDifference(own[b.name].dataSync(), tf.mul(tf.matMul(a.read() as tf.Tensor2D, dW, true), scale).dataSync()), site.path).to.be.below(1e-5);
        }
      });
      for (const either of [model, plain]) either.dispose();
    });

    it('trains in compile and fit, alone and in steps of the optimizer that know nothing of the base', async () => {
      for (const [model, targets] of [[causalLM(config), everything.targets], [foreignModel(V), foreignTargets]] as const) {
        const before = bytes(model);
        const adapter = addLora(model, { targets, rank: 2 });
        const optimizer = new AdamW({ learningRate: 0.05 });
        const losses = await fit(model, 6, optimizer);
        expect(losses[5]).to.be.below(losses[0] - 0.1);
        expect(bytes(model)).to.deep.equal(before);
        expect((await optimizer.getWeights()).length).to.equal(1 + 2 * adapter.parameters.length);
        expect(model.trainableWeights).to.deep.equal(adapter.parameters);
        model.dispose();
      }
    });

    it('leaves save and summary of the base alone, and layers as the user froze them', async () => {
      const model = causalLM(config);
      model.layers[2].trainable = false;
      const artifacts = async (): Promise<{ names: string[]; data: string; topology: string }> => {
        let saved: tf.io.ModelArtifacts = {};
        await model.save(tf.io.withSaveHandler(async (given) => {
          saved = given;
          return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
        }));
        return { names: (saved.weightSpecs ?? []).map(({ name }) => name), data: Buffer.from(saved.weightData as ArrayBuffer).toString('base64'), topology: JSON.stringify(saved.modelTopology) };
      };
      const before = await artifacts();
      const adapter = addLora(model, { ...everything, trainModules: 'norm' });
      fillB(adapter);
      await fit(model);
      expect(await artifacts()).to.deep.equal(before);
      const lines: string[] = [];
      model.summary(undefined, undefined, (line: string) => lines.push(line));
      expect(lines.find((line) => line.startsWith('Trainable params'))).to.equal(`Trainable params: ${adapter.numParameters}`);
      expect(model.layers[2].trainable).to.equal(false);
      adapter.remove();
      expect(model.trainableWeights.length).to.equal(model.weights.length - model.layers[2].weights.length);
      expect(model.weights.every((weight) => (weight.read() as tf.Variable).trainable === weight.trainable)).to.equal(true);
      model.dispose();
    });

    it('trains copies of trainModules and leaves the base, tied or not', async () => {
      for (const tieWordEmbeddings of [false, true]) {
        const model = causalLM({ ...config, tieWordEmbeddings });
        const [before, predicted] = [bytes(model), predict(model)];
        const adapter = addLora(model, { targets: 'q_proj', trainModules: ['embed_tokens', 'norm'] });
        expect(adapter.modules.map(({ base }) => base.originalName)).to.deep.equal(['embed_tokens/weight', 'norm/weight']);
        await fit(model, 3);
        expect(bytes(model)).to.deep.equal(before);
        const trained = predict(model);
        expect(maxDifference(trained, predicted)).to.be.above(0.01);
        expect(maxDifference(adapter.modules[0].copy.read().dataSync(), before[0])).to.be.above(0.01);
        setActiveAdapter(model, null);
        expect(predict(model)).to.deep.equal(predicted);
        setActiveAdapter(model, 'default');
        expect(predict(model)).to.deep.equal(trained);
        adapter.merge();
        expect(maxDifference(predict(model), trained)).to.be.below(2e-5);
        adapter.remove();
        expect(predict(model)).to.deep.equal(predicted);
        model.dispose();
      }
    });

    it('starts copies of trainModules from the base, whatever adapter is active', async () => {
      const model = causalLM(config);
      const base = bytes(model)[0];
      const first = addLora(model, { targets: 'q_proj', trainModules: 'embed_tokens', name: 'first' });
      await fit(model);
      const second = addLora(model, { targets: 'q_proj', trainModules: 'embed_tokens', name: 'second' });
      expect([...second.modules[0].copy.read().dataSync()]).to.deep.equal(base);
      expect(maxDifference(first.modules[0].copy.read().dataSync(), base)).to.be.above(0.01);
      model.dispose();
    });

    it('is saved as a plain model while it is merged', async () => {
      const model = foreignModel(V);
      const adapter = addLora(model, { targets: foreignTargets, trainModules: 'table', rank: 2 });
      fillB(adapter);
      const adapted = predict(model);
      adapter.merge();
      let saved: tf.io.ModelArtifacts = {};
      await model.save(tf.io.withSaveHandler(async (given) => {
        saved = given;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }));
      tf.serialization.registerClass(GatedBlock);
      const reloaded = await tfl.loadLayersModel(tf.io.fromMemory(saved));
      expect(maxDifference(predict(reloaded), adapted)).to.be.below(2e-5);
      for (const either of [model, reloaded]) either.dispose();
    });

    it('drops the inputs of dense layers in training alone, and repeats their masks from a step on', () => {
      const make = (): tfl.LayersModel => {
        const model = foreignModel(V);
        fillB(addLora(model, { targets: ['mixer', 'timed', 'head'], dropout: 0.4 }), 1, 2);
        return model;
      };
      const [model, resumed] = [make(), make()];
      const steps = [train(model), train(model), train(model)];
      expect(maxDifference(steps[0], steps[1])).to.be.above(0.01);
      expect(predict(model)).to.deep.equal(predict(resumed));
      setDropoutStep(resumed, 2);
      expect(train(resumed)).to.deep.equal(steps[2]);
      for (const either of [model, resumed]) either.dispose();
    });

    it('works on sequential, nested and reloaded models', async () => {
      const inner = tfl.sequential({ name: 'backbone', layers: [
        tfl.layers.embedding({ inputDim: V, outputDim: 6, inputShape: [T], name: 'table' }),
        tfl.layers.dense({ units: 6, name: 'mixer', activation: 'tanh' }),
      ] });
      const nested = tfl.sequential({ layers: [inner, tfl.layers.dense({ units: V, name: 'head' })] });
      let saved: tf.io.ModelArtifacts = {};
      await nested.save(tf.io.withSaveHandler(async (given) => {
        saved = given;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }));
      for (const model of [nested, await tfl.loadLayersModel(tf.io.fromMemory(saved))]) {
        const [before, predicted] = [bytes(model), predict(model)];
        const adapter = addLora(model, { targets: ['mixer', 'head'], trainModules: 'table' });
        expect(adapter.parameters.length).to.equal(5);
        model.compile({ optimizer: tf.train.adam(0.05), loss });
        Reflect.set(Reflect.get(model, 'model') as tfl.LayersModel, 'feedOutputShapes', [null]);
        const { history } = await model.fit(ids(), tf.zeros([B, T]), { epochs: 3, verbose: 0, batchSize: B, shuffle: false });
        expect(history.loss[2]).to.be.below(history.loss[0] as number);
        expect(bytes(model)).to.deep.equal(before);
        expect(maxDifference(predict(model), predicted)).to.be.above(1e-3);
        adapter.remove();
        expect(predict(model)).to.deep.equal(predicted);
      }
    });

    it('frees the adapted weight after the call of the layer that reads it', () => {
      const model = foreignModel(V);
      fillB(addLora(model, { targets: 'gated/gate' }));
      const x = tf.ones([B, T, 6]);
      const before = tf.memory().numTensors;
      const y = model.getLayer('gated').apply(x) as tf.Tensor;
      expect(tf.memory().numTensors).to.equal(before + 1);
      tf.dispose([x, y]);
      model.dispose();
    });

    it('merges into the base to rounding, and unmerges byte for byte', () => {
      for (const [model, targets] of [[causalLM(config), everything.targets], [foreignModel(V), foreignTargets]] as const) {
        const before = bytes(model);
        const adapter = addLora(model, { targets, rank: 2 });
        fillB(adapter);
        const adapted = predict(model);
        adapter.merge();
        adapter.merge();
        expect(adapter.merged).to.equal(true);
        expect(maxDifference(predict(model), adapted)).to.be.below(2e-5);
        expect(bytes(model)).not.to.deep.equal(before);
        adapter.unmerge();
        expect(bytes(model)).to.deep.equal(before);
        expect(predict(model)).to.deep.equal(adapted);
        adapter.merge();
        adapter.remove();
        expect(bytes(model)).to.deep.equal(before);
        model.dispose();
      }
    });

    it('switches between several adapters on one base, and trains the active one', async () => {
      const model = causalLM(config);
      const base = predict(model);
      const [first, second] = [addLora(model, { targets: 'q_proj', name: 'first' }), addLora(model, { targets: /_proj$/, rank: 2, name: 'second' })];
      fillB(first);
      fillB(second, 100);
      expect([first.active, second.active]).to.deep.equal([false, true]);
      const withSecond = predict(model);
      setActiveAdapter(model, 'first');
      const withFirst = predict(model);
      expect(maxDifference(withFirst, withSecond)).to.be.above(0.01);
      const before = second.parameters.map((parameter) => [...parameter.read().dataSync()]);
      await fit(model);
      expect(second.parameters.map((parameter) => [...parameter.read().dataSync()])).to.deep.equal(before);
      expect(maxDifference(predict(model), withFirst)).to.be.above(0.001);
      first.remove();
      expect(predict(model)).to.deep.equal(base);
      setActiveAdapter(model, 'second');
      expect(predict(model)).to.deep.equal(withSecond);
      model.dispose();
    });

    it('drops out in training alone, repeats the masks from a step on, and under gradient checkpointing', () => {
      const make = (): tfl.LayersModel => {
        const model = causalLM(config);
        fillB(addLora(model, { ...everything, dropout: 0.4, seed: 5 }));
        return model;
      };
      const [model, resumed, checkpointed] = [make(), make(), make()];
      expect(predict(model)).to.deep.equal(predict(resumed));
      const steps = [train(model), train(model), train(model)];
      expect(maxDifference(steps[0], steps[1])).to.be.above(0.01);
      expect(maxDifference(steps[0], predict(model))).to.be.above(0.01);
      setDropoutStep(resumed, 2);
      expect(train(resumed)).to.deep.equal(steps[2]);

      const gradients = (which: tfl.LayersModel): Float32Array[] => tf.tidy(() => {
        const variables = which.trainableWeights.map((weight) => weight.read() as tf.Variable);
        const { grads } = tf.variableGrads(() => loss(ids(), which.apply(ids(), { training: true }) as tf.Tensor), variables);
        return variables.map(({ name }) => grads[name].dataSync<'float32'>().slice());
      });
      gradientCheckpointing(checkpointed);
      setDropoutStep(checkpointed, 1);
      setDropoutStep(model, 1);
      const plain = gradients(model);
      gradients(checkpointed).forEach((gradient, i) => expect(maxDifference(gradient, plain[i])).to.be.below(1e-6));
      for (const either of [model, resumed, checkpointed]) either.dispose();
    });

    it('says what is missing where a step would not train the adapter', async () => {
      const model = causalLM(config);
      const step = async (): Promise<string> => await messageOf(model.trainOnBatch(ids(), tf.zeros([B, T])));
      await fit(model, 0);
      const adapter = addLora(model, { targets: 'q_proj' });
      expect(await step()).to.equal('addLora: a training step needs an adapter to train, but the model was compiled before "default" was added or made active; call model.compile(...) again, with a new optimizer');
      await fit(model, 1);
      setActiveAdapter(model, null);
      expect(await step()).to.equal('addLora: a training step needs an adapter to train, but no adapter is active; call setActiveAdapter(model, name) with one of default, or remove() them to train the base');
      setActiveAdapter(model, 'default');
      adapter.merge();
      expect(await step()).to.equal('addLora: a training step needs an adapter to train, but "default" is merged; unmerge() it first');
      adapter.remove();
      const before = bytes(model);
      await fit(model, 1);
      expect(bytes(model)).not.to.deep.equal(before);
      model.dispose();
    });

    it('leaves no tensor behind', async () => {
      const model = foreignModel(V);
      const before = tf.memory().numTensors;
      const adapter = addLora(model, { targets: ['lstm_5/kernel', 'mixer', 'timed', 'gated/gate'], rank: 2, trainModules: 'lstm_6' });
      model.compile({ optimizer: tf.train.sgd(0.1), loss });
      Reflect.set(model, 'feedOutputShapes', [null]);
      const [xs, ys] = [ids(), tf.zeros([B, T])];
      await model.trainOnBatch(xs, ys);
      const trained = tf.memory().numTensors;
      for (let i = 0; i < 3; i++) await model.trainOnBatch(xs, ys);
      predict(model);
      expect(tf.memory().numTensors).to.equal(trained);
      adapter.merge();
      adapter.unmerge();
      adapter.remove();
      adapter.remove();
      tf.dispose([xs, ys]);
      expect(tf.memory().numTensors).to.equal(before + 1); // sgd's learning rate
      expect(model.layers.some((layer) => ['call', 'dropoutStep'].some((name) => Object.hasOwn(layer, name)))).to.equal(false);
      expect(['weights', 'trainableWeights', 'nonTrainableWeights', 'makeTrainFunction'].some((name) => Object.hasOwn(model, name))).to.equal(false);
      expect(model.weights.some((weight) => Object.hasOwn(weight, 'read'))).to.equal(false);
      model.dispose();
    });

    it('refuses targets that name nothing, embedding tables, and options out of range', () => {
      const model = causalLM({ ...config, numHiddenLayers: 1 });
      const weights = 'layers_0/q_proj, layers_0/k_proj, layers_0/v_proj, layers_0/o_proj, layers_0/gate_proj, layers_0/up_proj, layers_0/down_proj, lm_head/weight';
      const refusal = (options: LoraOptions, on = model): string => {
        try {
          addLora(on, options);
        } catch (error) {
          return (error as Error).message;
        }
        return 'nothing thrown';
      };
      expect(refusal({ targets: ['q_proj', 'query'] })).to.equal(`addLora: target "query" matches no weight; weights: ${weights}`);
      expect(refusal({ targets: 'embed_tokens' })).to.equal(`addLora: target "embed_tokens" must name products with weights, got the embedding table "embed_tokens/weight"; train the whole table with trainModules: 'embed_tokens'`);
      expect(refusal({ targets: [] })).to.equal('addLora: targets must name at least one weight, got an empty list');
      expect(refusal({ targets: 'q_proj', rank: 0 })).to.equal('addLora: rank must be a positive integer, got 0');
      expect(refusal({ targets: 'q_proj', alpha: 0 })).to.equal('addLora: alpha must be above 0, got 0');
      expect(refusal({ targets: 'q_proj', dropout: 1 })).to.equal('addLora: dropout must be in [0, 1), got 1');
      expect(refusal({ targets: 'q_proj', name: 'a b' })).to.equal('addLora: name must be of letters, digits, "-", "_" and ".", got "a b"');
      expect(refusal({ targets: 'q_proj', trainModules: 'nor' })).to.equal('addLora: trainModules "nor" matches no layer with weights; layers: embed_tokens, layers_0, norm, lm_head');
      expect(refusal({ targets: 'lm_head', trainModules: 'lm_head' })).to.equal('addLora: "lm_head/weight" must be in targets or in trainModules, got both; leave it out of one');
      expect(refusal({ targets: 'gated/gate', dropout: 0.1 }, foreignModel(V))).to.equal('addLora: dropout must be 0 for "gated/gate", whose layer SpecGatedBlock reads the adapted weight and shows no input to drop, got 0.1');
      expect(() => setActiveAdapter(model, 'a')).to.throw('setActiveAdapter: the model must have adapters, got none; call addLora or loadAdapter first');
      const adapter = addLora(model, { targets: 'q_proj' });
      expect(refusal({ targets: 'q_proj' })).to.equal('addLora: adapters of a model need names of their own, got "default" twice; set the option name');
      expect(() => setActiveAdapter(model, 'a')).to.throw('setActiveAdapter: must name an adapter of the model, got "a"; adapters: default');
      setActiveAdapter(model, null);
      expect(() => adapter.merge()).to.throw('LoraAdapter.merge: the adapter must be the active one, got "default"; call setActiveAdapter(model, "default") first');
      const outer = tfl.model({ inputs: model.inputs, outputs: model.outputs });
      expect(refusal({ targets: 'q_proj' }, outer)).to.equal('addLora: layer "layers_0" must have its adapters through one model, got a second one that holds it; remove() the adapters of the other');
      adapter.remove();
      expect(() => adapter.merge()).to.throw('LoraAdapter.merge: adapter "default" must be on a model, got a removed one; add or load it again');
      const tied = causalLM({ ...config, tieWordEmbeddings: true });
      const onHead = addLora(tied, { targets: 'lm_head' });
      expect(() => onHead.merge()).to.throw('LoraAdapter.merge: "lm_head/weight" must have a weight of its own, got one tied to the embedding, which the adapter leaves alone; keep the adapter apart with saveAdapter');
      for (const either of [model, tied]) either.dispose();
    });
  });
});
