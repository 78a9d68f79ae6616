import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { calledAs, IlrecError } from '../errors';
import type { HistoryEmbedding } from '../layers/history_embedding';
import { tiedCrossEntropy } from '../vocabulary/tied_cross_entropy';
import { labelsOnCpu } from '../ops/labels_on_cpu';
import { historyEmbedding } from './history_models';

/** A loss function for `model.compile`. */
export type LossFunction = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/**
 * Makes the loss of a sequential model, `sasrec`, `gru4rec` or `caser`: cross-entropy over all items. Only labelled
 * positions are scored, and the scores [P, N] never exist as a whole.
 *
 * The repeat bias applies to the items before a position, which are read from the earlier labels of its row, as
 * `sasrecRows` writes them.
 *
 * @param model the model. Gradients flow into its item table and repeat bias.
 * @returns the loss of labels int32 [B, T] (item numbers, negative without a target) and hidden states [B, T, D]: a
 * scalar, the mean over labelled positions, 0 without any.
 * @throws IlrecError when the model is none of these; the loss throws for a label that is not an item number below N.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { gru4rec, nextItemLoss, sasrecBatch, sasrecRows } from 'tfjs-ilrec';
 *
 * const model = gru4rec({ numItems: 10, embeddingSize: 8, hiddenSize: 8 });
 * const { xs, ys } = sasrecBatch(sasrecRows([7, 3, 5], 50));
 * const loss = nextItemLoss(model); // for model.compile({ optimizer, loss })
 * console.log(loss(ys, model.predict(xs) as tf.Tensor).dataSync()[0].toFixed(1)); // 2.3
 * ```
 */
export function nextItemLoss(model: tfl.LayersModel): LossFunction {
  return lossOfHistories(historyEmbedding(model, 'nextItemLoss'), 'nextItemLoss');
}

/** @param caller the public function that error messages name. */
export function lossOfHistories(embedding: HistoryEmbedding, caller: string): LossFunction {
  return function itemCrossEntropy(labels, predictions) {
    return tf.tidy(() => {
      const hiddenSize = predictions.shape[predictions.rank - 1];
      const table = embedding.itemTable(); // [N, D]
      const hidden = tf.reshape(predictions, [-1, hiddenSize]) as tf.Tensor2D; // [B*T, D]
      const values = calledAs(caller, () => labelsOnCpu(labels)); // [B*T]
      const targets = tf.tensor1d(values, 'int32');
      const outside = values.find((label) => label >= embedding.numItems);
      if (outside !== undefined)
        throw new IlrecError(`${caller}: a label must be an item number below ${embedding.numItems}, got ${outside}`);
      const { positions, seen } = labelledPositions(values, predictions.shape[1] as number); // [P]
      if (positions.length === 0) return tf.scalar(0);
      const bias = embedding.repeatBias();
      const shared = bias === null ? undefined : { value: bias, members: seen };
      return tiedCrossEntropy(tf.gather(hidden, positions), table, tf.gather(targets, positions), shared);
    });
  };
}

/** Flat positions with a label, [P], and the earlier labels in the row of each. */
function labelledPositions(labels: ArrayLike<number>, length: number): { positions: Int32Array; seen: number[][] } {
  const positions: number[] = [];
  const seen: number[][] = [];
  let before: number[] = [];
  for (let at = 0; at < labels.length; at++) {
    if (at % length === 0) before = [];
    if (labels[at] < 0) continue;
    positions.push(at);
    seen.push(before);
    before = [...before, labels[at]];
  }
  return { positions: Int32Array.from(positions), seen };
}
