import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { tiedCrossEntropy } from '../vocabulary/tied_cross_entropy';
import { sasrecEmbedding } from './sasrec';

/** A loss as `model.compile` takes it. */
export type LossFunction = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/**
 * Cross-entropy over all items at every labelled position, the strong form of SASRec's loss. Scores are made for labelled positions only.
 *
 * The items seen before a position are read from the labels before it in the row, as `sasrecRows` lays them out; they carry the repeat bias.
 *
 * @param model made by `sasrec`; the loss reads its table of items and its repeat bias, and sends gradient into them.
 * @returns loss of labels int32 [B, T] (item numbers, negative where there is no target) and hidden states [B, T, D]: a scalar, mean over labelled positions, 0 when there are none.
 */
export function sasrecLoss(model: tfl.LayersModel): LossFunction {
  const embedding = sasrecEmbedding(model);
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

/** Flat positions with a label, [P], and the labels that come before each in its row. */
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
