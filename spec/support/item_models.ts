import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { causalLM, type CausalLMConfig } from '../../src/models/causal_lm';
import { normals } from './random';
import type { Rows } from './reference';
import { referenceDecoder, type Weights } from './reference_decoder';

/** Items of `itemModel`. */
export const NUM_ITEMS = 13;

/** Two codes for each item; some items share both. */
const codes = [0, 0, 1, 1, 2, 2, 3, 0, 1, 2, 3, 3, 3].map((first, item) => [first, item % 3]);

/** What `referenceDecoder` reads of the models. */
const SIZES = { numAttentionHeads: 2, numKeyValueHeads: 2, ropeTheta: 10000, rmsNormEps: 1e-6 };

/** A small language model whose tokens are items; all its weights are random, biases and repeat bias too. */
export function itemModel(config: Partial<CausalLMConfig> = {}): tfl.LayersModel {
  const model = causalLM({
    vocabSize: NUM_ITEMS,
    hiddenSize: 8,
    intermediateSize: 7,
    numHiddenLayers: 3,
    numAttentionHeads: 2,
    initializerRange: 0.4,
    seed: 3,
    ...config,
    items: { codes, ...config.items },
  });
  const embedding = model.getLayer('embed_tokens');
  tf.tidy(() => {
    for (const weight of embedding.trainableWeights) {
      if (/\/bias$/.test(weight.originalName)) weight.write(tf.tensor1d(normals(NUM_ITEMS, 5)));
      if (/\/repeat_bias$/.test(weight.originalName)) weight.write(tf.tensor1d([0.7]));
    }
  });
  return model;
}

/** T of the items and the start token, [N + 1, D], of weights as `weightsOf` gives them. */
export function itemTable(weights: Weights): Rows {
  const at = (name: string): Rows => weights.get(`embed_tokens/${name}`) as Rows;
  return at('weight').map((own, item) =>
    own.map((value, d) => {
      let sum = value;
      for (let table = 0; weights.has(`embed_tokens/table_${table}`); table++)
        sum += at(`table_${table}`)[at(`index_${table}`)[0][item]][d];
      return sum;
    }),
  );
}

/**
 * A model of items in plain loops on one sequence: residual stream after each block, and the scores of all items at
 * each position, without the repeat bias. `project` is final norm and head without its bias.
 */
export function itemModelReference(
  weights: Weights,
  ids: readonly number[],
): { hiddenStates: Rows[]; scores: Rows; project: (hidden: Rows) => Rows } {
  const table = itemTable(weights);
  const inputScale = Math.sqrt(table[0].length);
  const [bias] = weights.get('embed_tokens/bias') as Rows;
  const decoder = new Map(weights)
    .set(
      'embed_tokens/weight',
      table.map((row) => row.map((value) => inputScale * value)),
    )
    .set('lm_head/weight', table.slice(0, -1));
  const numHiddenLayers = [...weights.keys()].filter((name) => name.endsWith('/q_proj')).length;
  const { hiddenStates, logits, project } = referenceDecoder(decoder, { ...SIZES, numHiddenLayers }, ids);
  return { hiddenStates, scores: logits.map((row) => row.map((value, item) => value + bias[item])), project };
}
