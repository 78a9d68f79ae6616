import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { ItemEmbedding } from '../layers/item_embedding';
import type { ItemScorer } from './item_scorer';
import { scorerOfPrefixes } from './prefix_windows';

/** Options of `causalItemScorer`. */
export interface CausalItemScorerOptions {
  /** Newest items of a history that the model sees, 1 or more. Default all. */
  maxHistory?: number;
  /**
   * beta: the last layer's scores are moved away from those of the layer before it, z + beta (z - z'). Default 0; it
   * costs one more product with the head.
   */
  layerContrast?: number;
  /** Name in logs. Default 'causalLM'. */
  name?: string;
}

/**
 * Makes a scorer of a causal language model whose tokens are items, `causalLM({ items })`: one forward pass scores the
 * whole catalogue.
 *
 * The scorer reads the model's current weights, so that training may continue between calls. Where the model has a
 * repeat bias, it is added to the items of the history.
 *
 * @param model the model, also after saving and loading.
 * @param options see `CausalItemScorerOptions`.
 * @returns the scorer.
 * @throws IlrecError when the model's tokens are not items, or an option is out of range.
 * @example
 * ```ts
 * import { causalItemScorer, causalLM } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 10, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, items: {} });
 * console.log(causalItemScorer(model).score([[3, 1], []]).shape); // [ 2, 10 ]
 * ```
 */
export function causalItemScorer(
  model: tfl.LayersModel,
  { maxHistory = Infinity, layerContrast = 0, name = 'causalLM' }: CausalItemScorerOptions = {},
): ItemScorer {
  const embedding = itemEmbeddingOf(model, 'causalItemScorer');
  if (!(maxHistory === Infinity || (Number.isInteger(maxHistory) && maxHistory >= 1)))
    throw new IlrecError(`causalItemScorer: maxHistory must be a positive integer, got ${maxHistory}`);
  if (!Number.isFinite(layerContrast))
    throw new IlrecError(`causalItemScorer: layerContrast must be a number, got ${layerContrast}`);
  const norm = finalNorm(embedding);
  const blocks = blockOutputs(norm, model, layerContrast !== 0);
  const numItems = embedding.vocabSize;
  const tokens = { startTokenId: numItems, padTokenId: numItems, firstItemToken: 0 };

  const repeatBias = (): tf.Tensor1D | null => embedding.repeatBias;

  return scorerOfPrefixes({ name, numItems, maxHistory, tokens, repeatBias }, (inputs, positions) => {
    const outputs = blocks.predictOnBatch(inputs);
    const [last, before] = (Array.isArray(outputs) ? outputs : [outputs]).map((output) =>
      norm.apply(tf.gather(tf.reshape(output, [-1, embedding.hiddenSize]), positions)),
    ) as tf.Tensor2D[]; // what the head reads, [R, D]
    // z + beta (z - z') is linear in what the head reads; its bias stays
    const read = before === undefined ? last : tf.add(last, tf.mul(tf.sub(last, before), layerContrast));
    return tf.add<tf.Tensor2D>(tf.matMul(read, embedding.weight, false, true), embedding.bias); // [R, N]
  });
}

/**
 * The embedding of a model whose tokens are items.
 *
 * @param caller the public function that error messages name.
 * @throws IlrecError when there is none.
 */
export function itemEmbeddingOf(model: tfl.LayersModel, caller: string): ItemEmbedding {
  const embedding = model.layers.find((layer) => layer instanceof ItemEmbedding);
  if (embedding !== undefined) return embedding;
  const seen = model.layers.map((layer) => layer.getClassName()).join(', ');
  throw new IlrecError(
    `${caller}: the model must have an ILRecItemEmbedding layer, got ${seen}; make it with causalLM({ items })`,
  );
}

/** Token ids int32 [B, T] to the outputs of the last block and, with `withBefore`, of the one before it. */
function blockOutputs(norm: tfl.layers.Layer, model: tfl.LayersModel, withBefore: boolean): tfl.LayersModel {
  const last = norm.input as tfl.SymbolicTensor;
  const outputs = withBefore ? [last, last.sourceLayer.input as tfl.SymbolicTensor] : [last];
  return tfl.model({ inputs: model.inputs, outputs });
}

/**
 * The norm that the embedding, called as the head, reads.
 *
 * @throws IlrecError when it is not the head.
 */
function finalNorm(embedding: ItemEmbedding): tfl.layers.Layer {
  const read = embedding.inboundNodes.map(({ inputTensors }) => inputTensors[0]).find(({ rank }) => rank === 3);
  if (read !== undefined) return read.sourceLayer;
  throw new IlrecError(
    `causalItemScorer: the layer "${embedding.name}" must also be the model's head, and is called only once; make ` +
      'the model with causalLM({ items })',
  );
}
