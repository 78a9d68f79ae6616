import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { ItemEmbedding } from '../layers/item_embedding';
import { LMHead } from '../layers/lm_head';
import { TokenEmbedding } from '../layers/token_embedding';
import type { VocabularyProjection } from '../vocabulary/vocabulary_projection';
import { isShadowed } from '../shadow';
import { activated, activationOf } from './layer_kinds';
import { classOf, type Layer, type Site } from './model_graph';

/**
 * The head as one matrix. That is possible for this package's heads and tfjs's dense layers, with or without bias and
 * softmax, alone or in TimeDistributed. Weights are read at each call.
 *
 * @param parts from what the head reads to the logits.
 * @returns null where the head is more than one matrix: another layer behind it, an activation, an adapter, or a custom
 *   layer.
 */
export function linearHead(parts: readonly Site[]): VocabularyProjection | null {
  if (parts.length === 0 || parts.length > 2) return null;
  const [{ layer: head }, behind] = parts;
  const isLast = behind === undefined;
  if (!isLast && !isSoftmax(behind.layer)) return null;
  if (isShadowed(head, 'call', 'adapter') || isShadowed(activated(head), 'call', 'adapter')) return null;
  if (head instanceof ItemEmbedding) return itemHead(head);
  if (head instanceof TokenEmbedding || head instanceof LMHead) {
    return head.projectionDelta === null
      ? { weight: head.weight, layout: 'rows', bias: null, isFrozen: !head.trainable }
      : null;
  }
  const dense = activated(head);
  const activation = activationOf(head);
  const isLinear = activation === null || activation === 'linear' || (isLast && activation === 'softmax');
  if (classOf(dense) !== 'Dense' || !isLinear) return null;
  const read = (name: string): tf.Tensor | null =>
    (Reflect.get(dense, name) as tfl.LayerVariable | null | undefined)?.read() ?? null;
  return {
    weight: read('kernel') as tf.Tensor2D,
    layout: 'columns',
    bias: read('bias') as tf.Tensor1D | null,
    isFrozen: !head.trainable || !dense.trainable,
  };
}

/** W is a sum of rows, made only where it is read whole. */
function itemHead(head: ItemEmbedding): VocabularyProjection {
  return {
    get weight() {
      return head.weight;
    },
    layout: 'rows',
    bias: head.bias,
    isFrozen: !head.trainable,
    sizes: [head.vocabSize, head.hiddenSize],
    rowsOf: (tokens) => head.rowsOf(tokens),
    repeatBias: head.repeatBias,
  };
}

function isSoftmax(layer: Layer): boolean {
  return classOf(layer) === 'Softmax' || (classOf(layer) === 'Activation' && activationOf(layer) === 'softmax');
}
