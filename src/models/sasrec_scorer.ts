import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { withoutTape } from '../ops/without_tape';
import type { ItemScorer } from './item_scorer';
import { addRepeatBias, prefixWindows, scorerOfPrefixes } from './prefix_windows';
import { sasrecEmbedding } from './sasrec';

/** 0 is both start and padding. */
const TOKENS = { startTokenId: 0, padTokenId: 0, firstItemToken: 1 };

/**
 * Makes a scorer of a trained SASRec: the logits of all items after a history, with the repeat bias on its items. An
 * empty history is scored from the start alone.
 *
 * A history longer than the model's `maxHistory` is cut to its newest items. The scorer reads the model's current
 * weights, so that training may continue between calls.
 *
 * @param model a model made by `sasrec`.
 * @returns the scorer.
 * @throws IlrecError when the model was not made by `sasrec`.
 * @example
 * ```ts
 * import { sasrec, sasrecScorer } from 'tfjs-ilrec';
 *
 * const scorer = sasrecScorer(sasrec({ numItems: 10, hiddenSize: 8 }));
 * console.log(scorer.score([[3, 1], []]).shape); // [ 2, 10 ]
 * ```
 */
export function sasrecScorer(model: tfl.LayersModel): ItemScorer {
  const embedding = sasrecEmbedding(model, 'sasrecScorer');
  const { numItems, maxHistory } = embedding;

  const scorePrefixes = (
    histories: readonly ArrayLike<number>[],
    rows: Int32Array,
    lengths: Int32Array,
  ): tf.Tensor2D => {
    if (rows.length === 0) return tf.zeros([0, numItems]);
    return withoutTape(() => {
      const { ids, length, positions } = prefixWindows(histories, rows, lengths, maxHistory, TOKENS);
      const inputs = tf.tensor2d(ids, [ids.length / length, length], 'int32'); // [B, T]
      const states = model.predictOnBatch(inputs) as tf.Tensor3D; // [B, T, D]
      const hidden = tf.gather(tf.reshape(states, [-1, states.shape[2]]), positions) as tf.Tensor2D; // [R, D]
      const scores = tf.matMul(hidden, tf.transpose(embedding.itemTable())) as tf.Tensor2D; // [R, N]
      const bias = embedding.repeatBias();
      return bias === null ? scores : addRepeatBias(scores, bias, histories, rows, lengths); // [R, N]
    });
  };

  return scorerOfPrefixes('sasrec', numItems, scorePrefixes);
}
