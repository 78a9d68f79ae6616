import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { setDropoutStep } from '../../src/layers';
import { addLora, setActiveAdapter } from '../../src/lora';
import { causalLM } from '../../src/models/causal_lm';
import { AdamW } from '../../src/optimizers/adamw';
import { gradientCheckpointing } from '../../src/training/gradient_checkpointing';
import { forEachBackend } from '../support/backends';
import { messageOf } from '../support/folders';
import { fillB, foreignModel } from '../support/lora_models';
import {
  B,
  bytes,
  config,
  everything,
  fit,
  foreignTargets,
  ids,
  loss,
  predict,
  T,
  train,
  V,
} from '../support/lora_task';
import { maxDifference } from '../support/reference';
import { savedArtifacts } from '../support/saved_artifacts';

describe('training with LoRA', () => {
  forEachBackend(() => {
    it('trains in compile and fit, alone and in steps of the optimizer that know nothing of the base', async () => {
      for (const [model, targets] of [
        [causalLM(config), everything.targets],
        [foreignModel(V), foreignTargets],
      ] as const) {
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

    it('works on sequential, nested and reloaded models, built before or when they are compiled', async () => {
      const make = (): tfl.LayersModel => {
        const inner = tfl.sequential({
          name: 'backbone',
          layers: [
            tfl.layers.embedding({ inputDim: V, outputDim: 6, inputShape: [T], name: 'table' }),
            tfl.layers.dense({ units: 6, name: 'mixer', activation: 'tanh' }),
          ],
        });
        return tfl.sequential({ layers: [inner, tfl.layers.dense({ units: V, name: 'head' })] });
      };
      const built = make();
      const reloaded = await tfl.loadLayersModel(tf.io.fromMemory(await savedArtifacts(built)));
      for (const model of [make(), built, reloaded]) {
        const before = model.weights.map((weight) => [...weight.read().dataSync()]);
        const adapter = addLora(model, { targets: ['mixer', 'head'], trainModules: 'table' });
        expect(adapter.parameters.length).to.equal(5);
        model.compile({ optimizer: tf.train.adam(0.05), loss });
        const trained = Reflect.get(model, 'model') as tfl.LayersModel;
        Reflect.set(trained, 'feedOutputShapes', [null]);
        const first = predict(model);
        const { history } = await model.fit(ids(), tf.zeros([B, T]), {
          epochs: 3,
          verbose: 0,
          batchSize: B,
          shuffle: false,
        });
        expect(history.loss[2]).to.be.below(history.loss[0] as number);
        expect(trained.trainableWeights).to.deep.equal(adapter.parameters);
        expect(bytes(model)).to.deep.equal(before);
        const alone = tf.tidy(() =>
          Object.keys(tf.variableGrads(() => loss(ids(), model.apply(ids(), { training: true }) as tf.Tensor)).grads),
        );
        expect(alone.sort()).to.deep.equal(adapter.parameters.map(({ name }) => name).sort());
        expect(maxDifference(predict(model), first)).to.be.above(1e-3);
        adapter.remove();
        expect(maxDifference(predict(model), first)).to.be.below(1e-6);
        expect(model.weights.map((weight) => [...weight.read().dataSync()])).to.deep.equal(before);
      }
    });

    it('leaves save and summary of the base alone, and layers as the user froze them', async () => {
      const model = causalLM(config);
      model.layers[2].trainable = false;
      const artifacts = async (): Promise<{ names: string[]; data: string; topology: string }> => {
        const saved = await savedArtifacts(model);
        return {
          names: (saved.weightSpecs ?? []).map(({ name }) => name),
          data: Buffer.from(saved.weightData as ArrayBuffer).toString('base64'),
          topology: JSON.stringify(saved.modelTopology),
        };
      };
      const before = await artifacts();
      const adapter = addLora(model, { ...everything, trainModules: 'norm' });
      fillB(adapter);
      await fit(model);
      expect(await artifacts()).to.deep.equal(before);
      const lines: string[] = [];
      model.summary(undefined, undefined, (line: string) => lines.push(line));
      expect(lines.find((line) => line.startsWith('Trainable params'))).to.equal(
        `Trainable params: ${adapter.numParameters}`,
      );
      expect(model.layers[2].trainable).to.equal(false);
      adapter.remove();
      expect(model.trainableWeights.length).to.equal(model.weights.length - model.layers[2].weights.length);
      expect(model.weights.every((weight) => (weight.read() as tf.Variable).trainable === weight.trainable)).to.equal(
        true,
      );
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

      const gradients = (which: tfl.LayersModel): Float32Array[] =>
        tf.tidy(() => {
          const variables = which.trainableWeights.map((weight) => weight.read() as tf.Variable);
          const { grads } = tf.variableGrads(
            () => loss(ids(), which.apply(ids(), { training: true }) as tf.Tensor),
            variables,
          );
          return variables.map(({ name }) => grads[name].dataSync<'float32'>().slice());
        });
      gradientCheckpointing(checkpointed);
      setDropoutStep(checkpointed, 1);
      setDropoutStep(model, 1);
      const plain = gradients(model);
      gradients(checkpointed).forEach((gradient, i) => expect(maxDifference(gradient, plain[i])).to.be.below(1e-6));
      for (const either of [model, resumed, checkpointed]) either.dispose();
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

    it('says what is missing where a step would not train the adapter', async () => {
      const model = causalLM(config);
      const step = async (): Promise<string> => await messageOf(model.trainOnBatch(ids(), tf.zeros([B, T])));
      await fit(model, 0);
      const adapter = addLora(model, { targets: 'q_proj' });
      expect(await step()).to.equal(
        'addLora: a training step needs a trainable adapter, but the model was compiled before "default" was added or made active; call model.compile(...) again, with a new optimizer',
      );
      await fit(model, 1);
      setActiveAdapter(model, null);
      expect(await step()).to.equal(
        'addLora: a training step needs a trainable adapter, but no adapter is active; call setActiveAdapter(model, name) with one of default, or remove() them to train the base',
      );
      setActiveAdapter(model, 'default');
      adapter.merge();
      expect(await step()).to.equal(
        'addLora: a training step needs a trainable adapter, but "default" is merged; unmerge() it first',
      );
      adapter.remove();
      const before = bytes(model);
      await fit(model, 1);
      expect(bytes(model)).not.to.deep.equal(before);
      model.dispose();
    });

    it('leaves no tensor behind', async () => {
      const model = foreignModel(V);
      const before = tf.memory().numTensors;
      const adapter = addLora(model, {
        targets: ['lstm_5/kernel', 'mixer', 'timed', 'gated/gate'],
        rank: 2,
        trainModules: 'lstm_6',
      });
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
      expect(model.layers.some((layer) => ['call', 'dropoutStep'].some((name) => Object.hasOwn(layer, name)))).to.equal(
        false,
      );
      expect(
        ['weights', 'trainableWeights', 'nonTrainableWeights', 'makeTrainFunction'].some((name) =>
          Object.hasOwn(model, name),
        ),
      ).to.equal(false);
      expect(model.weights.some((weight) => Object.hasOwn(weight, 'read'))).to.equal(false);
      model.dispose();
    });
  });
});
