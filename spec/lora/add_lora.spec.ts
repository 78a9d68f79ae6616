import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { addLora, type LoraAdapter, type LoraOptions, setActiveAdapter } from '../../src/lora';
import { causalLM } from '../../src/models/causal_lm';
import { createCausalDecoder } from '../../src/models/causal_lm_decoder';
import { forEachBackend } from '../support/backends';
import { adaptedWeights, assign, fillB, foreignModel } from '../support/lora_models';
import {
  B,
  config,
  everything,
  foreignTargets,
  ids,
  labels,
  loss,
  predict,
  T,
  train,
  V,
  values,
} from '../support/lora_task';
import { integers } from '../support/random';
import { centralDifferences, crossEntropyOf, maxDifference, mean } from '../support/reference';
import { referenceDecoder, type Weights, weightsOf } from '../support/reference_decoder';

const sizes = { numHiddenLayers: 2, numAttentionHeads: 2, numKeyValueHeads: 1, ropeTheta: 10000, rmsNormEps: 1e-6 };

/** The float64 reference with weights W + scale A B. */
function reference(weights: Weights, adapter: LoraAdapter): { logits: number[][]; loss: number } {
  const adapted = new Map([...weights, ...adaptedWeights(adapter)]);
  const logits = Array.from(
    { length: B },
    (_, b) => referenceDecoder(adapted, sizes, [...values.slice(b * T, (b + 1) * T)]).logits,
  ).flat();
  return { logits, loss: mean(logits.map((row, at) => crossEntropyOf(row, labels[at]))) };
}

describe('addLora', () => {
  forEachBackend(() => {
    it('adds the scaled product before bias and activation', () => {
      // x = [1, 2], W = I, A = [[1], [1]], B = [[-1, 2]], s = 6 / 1: x W + 6 (x A) B = [1, 2] + 6 * 3 * [-1, 2] = [-17,
      // 38]; bias [1, 1], relu: [0, 39].
      const dense = tfl.layers.dense({
        units: 2,
        activation: 'relu',
        inputShape: [2],
        name: 'only',
        weights: [
          tf.tensor2d([
            [1, 0],
            [0, 1],
          ]),
          tf.tensor1d([1, 1]),
        ],
      });
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
      for (const [model, targets] of [
        [causalLM(config), everything.targets],
        [foreignModel(V), foreignTargets],
      ] as const) {
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
          expect(
            maxDifference(
              decoder.project(hidden, Int32Array.of(4, 2)).dataSync(),
              [4, 2].map((v) => logits[T - 1][v]),
            ),
          ).to.be.below(2e-5);
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
        ['lstm_5/kernel', 'weight'],
        ['lstm_6/kernel', 'weight'],
        ['mixer/kernel', 'dense'],
        ['timed/kernel', 'dense'],
        ['gated/gate', 'weight'],
        ['head/kernel', 'dense'],
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
      // all trainable variables there are
      const { value, grads } = tf.variableGrads(() => loss(ids(), model.apply(ids(), { training: true }) as tf.Tensor));
      expect(value.dataSync()[0]).to.be.closeTo(reference(weights, adapter).loss, 1e-5);
      expect(Object.keys(grads).sort()).to.deep.equal(adapter.parameters.map(({ name }) => name).sort());
      adapter.parameters.forEach((parameter, i) => {
        const at = integers(1, tf.util.sizeFromShape(parameter.shape as number[]), i)[0];
        const start = parameter.read().dataSync().slice();
        const numeric = centralDifferences(
          (moved) => {
            const changed = Float32Array.from(start);
            changed[at] = moved[0];
            assign(parameter, changed);
            return reference(weights, adapter).loss;
          },
          [start[at]],
          2 ** -8,
        )[0];
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
      for (const variable of plain.weights)
        if (adapted.has(variable.originalName)) assign(variable, adapted.get(variable.originalName) as number[][]);
      tf.tidy(() => {
        const of = (which: tfl.LayersModel) =>
          tf.variableGrads(
            () => loss(ids(), which.apply(ids(), { training: true }) as tf.Tensor),
            which.trainableWeights.map((weight) => weight.read() as tf.Variable),
          ).grads;
        const [own, full] = [of(model), of(plain)];
        for (const { site, a, b, scale } of adapter.pairs) {
          const dW = full[
            (plain.weights.find(({ originalName }) => originalName === site.path) as tfl.LayerVariable).name
          ] as tf.Tensor2D;
          expect(
            maxDifference(
              own[a.name].dataSync(),
              tf.mul(tf.matMul(dW, b.read() as tf.Tensor2D, false, true), scale).dataSync(),
            ),
            site.path,
          ).to.be.below(1e-5);
          expect(
            maxDifference(
              own[b.name].dataSync(),
              tf.mul(tf.matMul(a.read() as tf.Tensor2D, dW, true), scale).dataSync(),
            ),
            site.path,
          ).to.be.below(1e-5);
        }
      });
      for (const either of [model, plain]) either.dispose();
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

    it('refuses targets that name nothing, embedding tables, and options out of range', () => {
      const model = causalLM({ ...config, numHiddenLayers: 1 });
      const weights =
        'layers_0/q_proj, layers_0/k_proj, layers_0/v_proj, layers_0/o_proj, layers_0/gate_proj, layers_0/up_proj, layers_0/down_proj, lm_head/weight';
      const refusal = (options: LoraOptions, on = model): string => {
        try {
          addLora(on, options);
        } catch (error) {
          return (error as Error).message;
        }
        return 'nothing thrown';
      };
      expect(refusal({ targets: ['q_proj', 'query'] })).to.equal(
        `addLora: target "query" matches no weight; weights: ${weights}`,
      );
      expect(refusal({ targets: 'embed_tokens' })).to.equal(
        `addLora: target "embed_tokens" must not match an embedding table, got "embed_tokens/weight"; train the whole table with trainModules: 'embed_tokens'`,
      );
      expect(refusal({ targets: [] })).to.equal('addLora: targets must name at least one weight, got an empty list');
      expect(refusal({} as LoraOptions)).to.equal(
        "addLora: targets must name weights, got none; pass for example { targets: ['q_proj', 'v_proj'] }",
      );
      expect(refusal({ targets: 'q_proj', rank: 0 })).to.equal('addLora: rank must be a positive integer, got 0');
      expect(refusal({ targets: 'q_proj', alpha: 0 })).to.equal('addLora: alpha must be above 0, got 0');
      expect(refusal({ targets: 'q_proj', dropout: 1 })).to.equal('addLora: dropout must be in [0, 1), got 1');
      expect(refusal({ targets: 'q_proj', name: 'a b' })).to.equal(
        'addLora: name must consist of letters, digits, "-", "_" and ".", got "a b"',
      );
      expect(refusal({ targets: 'q_proj', trainModules: 'nor' })).to.equal(
        'addLora: trainModules "nor" matches no layer with weights; layers: embed_tokens, layers_0, norm, lm_head; to train a tied head, name its embedding',
      );
      expect(refusal({ targets: 'lm_head', trainModules: 'lm_head' })).to.equal(
        'addLora: "lm_head/weight" must be in targets or in trainModules, got both; remove it from one',
      );
      expect(refusal({ targets: 'gated/gate', dropout: 0.1 }, foreignModel(V))).to.equal(
        'addLora: dropout must be 0 for "gated/gate", got 0.1; its layer SpecGatedBlock reads the adapted weight and does not expose the input',
      );
      expect(() => setActiveAdapter(model, 'a')).to.throw(
        'setActiveAdapter: the model must have adapters, got none; call addLora or loadAdapter first',
      );
      const adapter = addLora(model, { targets: 'q_proj' });
      expect(refusal({ targets: 'q_proj' })).to.equal(
        'addLora: each adapter of a model must have another name, got "default" twice; set the option name',
      );
      expect(() => setActiveAdapter(model, 'a')).to.throw(
        'setActiveAdapter: name must be an adapter of the model, got "a"; adapters: default',
      );
      setActiveAdapter(model, null);
      expect(() => adapter.merge()).to.throw(
        'LoraAdapter.merge: the adapter must be the active one, got "default"; call setActiveAdapter(model, "default") first',
      );
      const outer = tfl.model({ inputs: model.inputs, outputs: model.outputs });
      expect(refusal({ targets: 'q_proj' }, outer)).to.equal(
        'addLora: layer "layers_0" must get its adapters through one model, got a second model with this layer; remove() the adapters of the first',
      );
      adapter.remove();
      expect(() => adapter.merge()).to.throw(
        'LoraAdapter.merge: adapter "default" must belong to a model, got a removed one; add or load it again',
      );
      const tied = causalLM({ ...config, tieWordEmbeddings: true });
      const onHead = addLora(tied, { targets: 'lm_head' });
      expect(() => onHead.merge()).to.throw(
        'LoraAdapter.merge: "lm_head/weight" must not be tied, got a weight that the embedding shares; save the adapter separately with saveAdapter',
      );
      for (const either of [model, tied]) either.dispose();
    });
  });
});
