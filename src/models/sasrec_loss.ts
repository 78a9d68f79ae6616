import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { tiedCrossEntropy } from '../ops/tied_cross_entropy';
import { sasrecEmbedding } from './sasrec';

/** A loss as `model.compile` takes it. */
export type LossFunction = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/**
 * Cross-entropy over all items at every labelled position, the strong form of SASRec's loss. Scores are made for labelled positions only.
 *
 * @param model made by `sasrec`; the loss reads its item embeddings and sends gradient into them.
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
      if (tf.getBackend() === 'webgpu') return tiedCrossEntropy(hidden, table, targets); // labels cannot be read synchronously there
      const positions = labelledPositions(targets.dataSync(), embedding.numItems); // [P]
      if (positions.length === 0) return tf.scalar(0);
      return tiedCrossEntropy(tf.gather(hidden, positions), table, tf.gather(targets, positions));
    });
  };
}

function labelledPositions(labels: ArrayLike<number>, numItems: number): Int32Array {
  const positions: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] >= numItems) throw new IlrecError(`sasrecLoss: a label must be an item number below ${numItems}, got ${labels[i]}`);
    if (labels[i] >= 0) positions.push(i);
  }
  return Int32Array.from(positions);
}
