import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import {
  DecoderBlock,
  Dropout,
  GPT2Block,
  LayerNorm,
  LMHead,
  PositionEmbedding,
  RMSNorm,
  TokenEmbedding,
} from '../../src/layers';
import { SASRecBlock } from '../../src/layers/sasrec_block';
import { SASRecEmbedding } from '../../src/layers/sasrec_embedding';
import { integers, normals } from '../support/random';
import { numbersOf, type ParityCase } from './parity_case';

/** Batch, tokens and hidden size. */
const [B, T, D] = [3, 7, 24];
const V = 29;

const blockArgs = { numAttentionHeads: 4, intermediateSize: 20, initializerRange: 0.3, seed: 1 };
const dropout = { attentionDropout: 0.2, hiddenDropout: 0.2 };

/** Each layer with what it reads: hidden states or token ids. */
const LAYERS: Readonly<Record<string, { layer: () => tfl.layers.Layer; reads?: 'ids'; padded?: boolean }>> = {
  RMSNorm: { layer: () => new RMSNorm({}) },
  LayerNorm: { layer: () => new LayerNorm({}) },
  Dropout: { layer: () => new Dropout({ rate: 0.3, seed: 1 }) },
  TokenEmbedding: {
    layer: () => new TokenEmbedding({ vocabSize: V, hiddenSize: D, initializerRange: 0.5 }),
    reads: 'ids',
  },
  PositionEmbedding: { layer: () => new PositionEmbedding({ maxPositionEmbeddings: T, initializerRange: 0.5 }) },
  LMHead: { layer: () => new LMHead({ vocabSize: V, initializerRange: 0.3 }) },
  DecoderBlock: { layer: () => new DecoderBlock(blockArgs) },
  'DecoderBlock, grouped heads, norms of q and k, window, padding': {
    layer: () => new DecoderBlock({ ...blockArgs, numKeyValueHeads: 2, qkNorm: true, qkvBias: true, slidingWindow: 3 }),
    padded: true,
  },
  'DecoderBlock, dropout': { layer: () => new DecoderBlock({ ...blockArgs, ...dropout }) },
  GPT2Block: { layer: () => new GPT2Block({ ...blockArgs, ...dropout }), padded: true },
  SASRecBlock: { layer: () => new SASRecBlock({ ...blockArgs, ...dropout }) },
  SASRecEmbedding: {
    layer: () => new SASRecEmbedding({ numItems: V - 1, hiddenSize: D, maxHistory: T, initializerRange: 0.5 }),
    reads: 'ids',
  },
};

/** A layer's output in training, and the gradients of its input and weights. */
export const layerCases: readonly ParityCase[] = Object.entries(LAYERS).map(
  ([name, { layer: create, reads, padded }]) => ({
    group: 'layers',
    name,
    tolerance: 2e-5,
    async compute() {
      const layer = create();
      const ids = tf.tensor2d(integers(B * T, V, 1), [B, T], 'int32');
      const x = tf.tensor3d(normals(B * T * D, 2), [B, T, D]);
      const mask =
        padded === true
          ? tf.tensor2d(
              Array.from({ length: B * T }, (_, i) => (i % T < T - (i / T) * 0.9 ? 1 : 0)),
              [B, T],
              'bool',
            )
          : null;
      const results = tf.tidy(() => {
        const kwargs = { training: true, ...(mask === null ? {} : { mask }) };
        const run = (input: tf.Tensor): tf.Tensor => layer.apply(input, kwargs) as tf.Tensor;
        const input = reads === 'ids' ? ids : x;
        const y = run(input); // the weights exist from here on
        (layer as { dropoutStep?: number }).dropoutStep = 0;
        const dy = tf.tensor(normals(y.size, 3), y.shape);
        const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
        const scalar = (input: tf.Tensor): tf.Scalar => {
          (layer as { dropoutStep?: number }).dropoutStep = 0;
          return tf.sum(tf.mul(run(input), dy));
        };
        const weights = variables.length === 0 ? {} : tf.variableGrads(() => scalar(input), variables).grads;
        const dx = reads === 'ids' ? [] : [tf.grad(scalar)(x)];
        return [
          y,
          ...dx,
          ...variables
            .map(({ name }) => weights[name] as tf.Tensor | null | undefined)
            .filter((gradient) => gradient != null),
        ];
      });
      const numbers = await numbersOf(results);
      layer.dispose();
      tf.dispose([ids, x, ...(mask === null ? [] : [mask])]);
      return numbers;
    },
  }),
);
