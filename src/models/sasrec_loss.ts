import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { tiedCrossEntropy } from '../vocabulary/tied_cross_entropy';
import { sasrecEmbedding } from './sasrec';

/** A loss function for `model.compile`. */
export type LossFunction = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/**
 * Makes SASRec's loss: cross-entropy over all items, the stronger form of the published loss. Only labelled positions
 * are scored.
 *
 * The repeat bias applies to the items before a position, which are read from the earlier labels of its row, as
 * `sasrecRows` writes them.
 *
 * @param model a model made by `sasrec`. Gradients flow into its item table and repeat bias.
 * @returns the loss of labels int32 [B, T] (item numbers, negative without a target) and hidden states [B, T, D]: a
 * scalar, the mean over labelled positions, 0 without any.
 * @throws IlrecError when the model was not made by `sasrec`; the loss throws for a label that is not an item number
 * below N.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { sasrec, sasrecBatch, sasrecLoss, sasrecRows } from 'tfjs-ilrec';
 *
 * const model = sasrec({ numItems: 10, hiddenSize: 8 });
 * const { xs, ys } = sasrecBatch(sasrecRows([7, 3, 5], 50));
 * const loss = sasrecLoss(model); // for model.compile({ optimizer, loss })
 * console.log(loss(ys, model.predict(xs) as tf.Tensor).dataSync()[0].toFixed(1)); // 2.3
 * ```
 */
export function sasrecLoss(model: tfl.LayersModel): LossFunction {
  const embedding = sasrecEmbedding(model, 'sasrecLoss');
  return function itemCrossEntropy(labels, predictions) {
    return tf.tidy(() => {
      const hiddenSize = predictions.shape[predictions.rank - 1];
      const table = embedding.itemTable(); // [N, D]
      const hidden = tf.reshape(predictions, [-1, hiddenSize]) as tf.Tensor2D; // [B*T, D]
      const targets = tf.reshape(tf.cast(labels, 'int32'), [-1]) as tf.Tensor1D; // [B*T]
      const { positions, seen } = labelledPositions(
        targets.dataSync(),
        predictions.shape[1] as number,
        embedding.numItems,
      ); // [P]
      if (positions.length === 0) return tf.scalar(0);
      const bias = embedding.repeatBias();
      const shared = bias === null ? undefined : { value: bias, members: seen };
      return tiedCrossEntropy(tf.gather(hidden, positions), table, tf.gather(targets, positions), shared);
    });
  };
}

/** Flat positions with a label, [P], and the earlier labels in the row of each. */
function labelledPositions(
  labels: ArrayLike<number>,
  length: number,
  numItems: number,
): { positions: Int32Array; seen: number[][] } {
  const positions: number[] = [];
  const seen: number[][] = [];
  let before: number[] = [];
  for (let at = 0; at < labels.length; at++) {
    if (at % length === 0) before = [];
    const label = labels[at];
    if (label >= numItems)
      throw new IlrecError(`sasrecLoss: a label must be an item number below ${numItems}, got ${label}`);
    if (label < 0) continue;
    positions.push(at);
    seen.push(before);
    before = [...before, label];
  }
  return { positions: Int32Array.from(positions), seen };
}
