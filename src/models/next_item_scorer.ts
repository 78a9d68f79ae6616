import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { HistoryEmbedding } from '../layers/history_embedding';
import { historyEmbedding } from './history_models';
import type { ItemScorer } from './item_scorer';
import { scorerOfPrefixes } from './prefix_windows';

/** 0 is both start and padding. */
const TOKENS = { startTokenId: 0, padTokenId: 0, firstItemToken: 1 };

/**
 * Makes a scorer of a trained sequential model, `sasrec`, `gru4rec` or `caser`: the logits of all items after a history,
 * with the repeat bias on its items. An empty history is scored from the start alone.
 *
 * A history longer than the model's `maxHistory`, or Caser's `windowSize`, is cut to its newest items. The scorer reads
 * the model's current weights, so that training may continue between calls.
 *
 * @param model the model, also after saving and loading. Its name is the scorer's.
 * @returns the scorer.
 * @throws IlrecError when the model is none of these.
 * @example
 * ```ts
 * import { caser, nextItemScorer } from 'tfjs-ilrec';
 *
 * const scorer = nextItemScorer(caser({ numItems: 10, hiddenSize: 8 }));
 * console.log(scorer.name, scorer.score([[3, 1], []]).shape); // caser [ 2, 10 ]
 * ```
 */
export function nextItemScorer(model: tfl.LayersModel): ItemScorer {
  return scorerOfHistories(model, historyEmbedding(model, 'nextItemScorer'), model.name);
}

/** @param embedding of the model. @param name for tables and logs. */
export function scorerOfHistories(model: tfl.LayersModel, embedding: HistoryEmbedding, name: string): ItemScorer {
  const { numItems, maxHistory } = embedding;
  const repeatBias = (): tf.Tensor1D | null => embedding.repeatBias();
  return scorerOfPrefixes({ name, numItems, maxHistory, tokens: TOKENS, repeatBias }, (inputs, positions) => {
    const states = model.predictOnBatch(inputs) as tf.Tensor3D; // [B, T, D]
    const hidden = tf.gather(tf.reshape(states, [-1, states.shape[2]]), positions) as tf.Tensor2D; // [R, D]
    return tf.matMul(hidden, tf.transpose(embedding.itemTable())); // [R, N]
  });
}
