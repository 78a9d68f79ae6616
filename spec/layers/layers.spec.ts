import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  DecoderBlock,
  Dropout,
  GPT2Block,
  LayerNorm,
  LMHead,
  PositionEmbedding,
  RMSNorm,
  setDropoutStep,
  TokenEmbedding,
} from '../../src/layers';
import { causalLM } from '../../src/models/causal_lm';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';
import { maxDifference } from '../support/reference';

const states = (seed: number): tf.Tensor => tf.tensor3d(normals(2 * 5 * 8, seed), [2, 5, 8]);
const ids = (): tf.Tensor => tf.tensor2d(integers(10, 7, 1), [2, 5], 'int32');
const block = {
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 6,
  intermediateSize: 11,
  ropeTheta: 77,
  rmsNormEps: 1e-3,
  attentionDropout: 0.1,
  hiddenDropout: 0.2,
  initializerRange: 0.5,
  seed: 3,
};

const unusual = {
  ...block,
  attentionDropout: 0,
  hiddenDropout: 0,
  slidingWindow: 2,
  qkNorm: true,
  qkvBias: true,
  outputBias: true,
  mlpBias: true,
  hiddenAct: 'gelu',
  ropeScaling: { ropeType: 'yarn', factor: 3, originalMaxPositionEmbeddings: 4 },
} as const;
const gpt2 = {
  numAttentionHeads: 2,
  intermediateSize: 11,
  attentionScale: 0.3,
  hiddenAct: 'gelu_new',
  layerNormEpsilon: 1e-3,
  initializerRange: 0.5,
  seed: 4,
} as const;

const cases: { name: string; layer: () => tfl.layers.Layer; input: () => tf.Tensor; output: number[] }[] = [
  { name: 'ILRecDecoderBlock', layer: () => new DecoderBlock(block), input: () => states(1), output: [2, 5, 8] },
  { name: 'ILRecDecoderBlock', layer: () => new DecoderBlock(unusual), input: () => states(1), output: [2, 5, 8] },
  { name: 'ILRecGPT2Block', layer: () => new GPT2Block(gpt2), input: () => states(1), output: [2, 5, 8] },
  { name: 'ILRecLayerNorm', layer: () => new LayerNorm({ epsilon: 0.01 }), input: () => states(1), output: [2, 5, 8] },
  {
    name: 'ILRecPositionEmbedding',
    layer: () => new PositionEmbedding({ maxPositionEmbeddings: 7, initializerRange: 0.5, seed: 2 }),
    input: () => states(1),
    output: [2, 5, 8],
  },
  { name: 'ILRecDropout', layer: () => new Dropout({ rate: 0.5, seed: 2 }), input: () => states(1), output: [2, 5, 8] },
  {
    name: 'ILRecLMHead',
    layer: () => new LMHead({ vocabSize: 7, initializerRange: 0.5, seed: 2 }),
    input: () => states(1),
    output: [2, 5, 7],
  },
  { name: 'ILRecRMSNorm', layer: () => new RMSNorm({ epsilon: 0.01 }), input: () => states(1), output: [2, 5, 8] },
  {
    name: 'ILRecTokenEmbedding',
    layer: () => new TokenEmbedding({ vocabSize: 7, hiddenSize: 8, padTokenId: 0, initializerRange: 0.5, seed: 2 }),
    input: ids,
    output: [2, 5, 8],
  },
];

describe('layers', () => {
  forEachBackend(() => {
    for (const [at, { name, layer: make, input, output }] of cases.entries()) {
      it(`${name} (case ${at}) is rebuilt from its config with the same weights and the shape it announces`, () => {
        tf.tidy(() => {
          const layer = make();
          const expected = layer.apply(input()) as tf.Tensor;
          expect(expected.shape).to.deep.equal(output);
          expect(layer.computeOutputShape(input().shape)).to.deep.equal(output);
          expect(layer.getClassName()).to.equal(name);
          const { name: _name, ...config } = layer.getConfig();
          const constructor = layer.constructor as unknown as {
            fromConfig: (type: unknown, config: unknown) => tfl.layers.Layer;
          };
          const rebuilt = constructor.fromConfig(layer.constructor, config);
          expect([...(rebuilt.apply(input()) as tf.Tensor).dataSync()]).to.deep.equal([...expected.dataSync()]);
          const { name: _again, ...configAgain } = rebuilt.getConfig();
          expect(configAgain).to.deep.equal(config);
          layer.dispose();
          rebuilt.dispose();
        });
      });
    }

    for (const [name, make] of Object.entries({
      'ILRecDecoderBlock with every setting on': () => new DecoderBlock(unusual),
      ILRecGPT2Block: () => new GPT2Block(gpt2),
    })) {
      it(`${name} has the gradients of central differences, in every weight`, () => {
        tf.tidy(() => {
          const layer = make();
          const upstream = tf.tensor3d(normals(2 * 5 * 8, 9), [2, 5, 8]);
          const loss = (): tf.Scalar => tf.sum(tf.mul(layer.apply(states(1)) as tf.Tensor, upstream));
          layer.apply(states(1)); // builds it
          layer.weights.forEach((weight, at) =>
            weight.write(
              tf.add(weight.read(), tf.tensor(normals(weight.read().size, 20 + at, 0.3), weight.read().shape)),
            ),
          );
          const { grads } = tf.variableGrads(loss as () => tf.Scalar);
          for (const weight of layer.weights) {
            const value = weight.read();
            const gradient = grads[(value as tf.Variable).name];
            const direction = tf.div(gradient, tf.norm(gradient)); // the difference is the gradient's length
            const along = (step: number): number => {
              weight.write(tf.add(kept, tf.mul(direction, step)));
              return loss().dataSync()[0];
            };
            const kept = tf.clone(value);
            const measured = (along(0.01) - along(-0.01)) / 0.02;
            weight.write(kept);
            const expected = tf.norm(gradient).dataSync()[0];
            expect(Math.abs(measured - expected) / expected, weight.originalName).to.be.below(5e-3);
          }
          layer.dispose();
        });
      });
    }

    it('ILRecPositionEmbedding refuses a sequence longer than its table', () => {
      const layer = new PositionEmbedding({ maxPositionEmbeddings: 4 });
      expect(() => layer.apply(states(1))).to.throw(
        'ILRecPositionEmbedding: a sequence must have at most maxPositionEmbeddings = 4 tokens, got 5; shorten the prompts',
      );
    });

    it('ILRecDropout drops in training only', () => {
      tf.tidy(() => {
        const layer = new Dropout({ rate: 0.5 });
        const x = tf.ones([40, 50]);
        expect((layer.apply(x) as tf.Tensor).dataSync().every((v) => v === 1)).to.equal(true);
        const dropped = (layer.apply(x, { training: true }) as tf.Tensor).dataSync();
        expect(new Set(dropped)).to.deep.equal(new Set([0, 2]));
        expect(dropped.filter((v) => v === 0).length / 2000).to.be.closeTo(0.5, 0.05);
      });
    });

    it('setDropoutStep makes the masks go on where an interrupted run left them', () => {
      tf.tidy(() => {
        const make = (): tfl.LayersModel =>
          causalLM({
            vocabSize: 7,
            hiddenSize: 8,
            numHiddenLayers: 2,
            hiddenDropout: 0.3,
            attentionDropout: 0.2,
            embeddingDropout: 0.1,
          });
        const [whole, resumed] = [make(), make()];
        const run = (model: tfl.LayersModel): Float32Array =>
          (model.apply(ids(), { training: true }) as tf.Tensor).dataSync<'float32'>();
        const steps = [run(whole), run(whole), run(whole)];
        expect(maxDifference(steps[0], steps[2])).to.be.above(1e-3);
        setDropoutStep(resumed, 2);
        expect([...run(resumed)]).to.deep.equal([...steps[2]]);
      });
    });

    it('refuse arguments out of range', () => {
      expect(() => new Dropout({ rate: 1 })).to.throw('ILRecDropout: rate must be in [0, 1), got 1');
      expect(() => new DecoderBlock({ numAttentionHeads: 3, numKeyValueHeads: 2, intermediateSize: 4 })).to.throw(
        'ILRecDecoderBlock: numKeyValueHeads must divide numAttentionHeads, got 2 and 3',
      );
      expect(() => new DecoderBlock({ ...block, slidingWindow: 0 })).to.throw(
        'ILRecDecoderBlock: slidingWindow must be a positive integer or null, got 0',
      );
      expect(() => new GPT2Block({ ...gpt2, numAttentionHeads: 3 }).apply(states(1))).to.throw(
        'ILRecGPT2Block: numAttentionHeads must divide the hidden size, got 3 and 8',
      );
      expect(() => new DecoderBlock({ numAttentionHeads: 3, intermediateSize: 4 }).apply(states(1))).to.throw(
        'ILRecDecoderBlock: hidden size / numAttentionHeads must be an even integer, got 8 / 3',
      );
    });
  });
});
