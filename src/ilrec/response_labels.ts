import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { ResponsePositions } from '../ops/response_rows';

/** The labels as [B, T]; tfjs's own sparse losses take them as [B, T, 1]. @throws IlrecError on another shape. */
export function labelsOf(labels: tf.Tensor, hidden: tf.Tensor3D): tf.Tensor {
  const [batch, length] = hidden.shape;
  const isColumn = labels.rank === 3 && labels.shape[2] === 1;
  if (!(labels.rank === 2 || isColumn) || labels.shape[0] !== batch || labels.shape[1] !== length) {
    throw new IlrecError(
      `ilrec: labels must be int32 [B, T] beside predictions [B, T, D], got [${labels.shape.join(', ')}] and [${hidden.shape.join(', ')}]`,
    );
  }
  return isColumn ? tf.reshape(labels, [batch, length]) : labels;
}

/** The rows of a tensor [B, T, ...] at the response positions, [P, ...]; gradient flows. @throws IlrecError when it has other positions. */
export function rowsAt(found: ResponsePositions, tensor: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const [batch, length] = labels.shape;
  if (tensor.shape[0] !== batch || tensor.shape[1] !== length) {
    throw new IlrecError(
      `ilrec: what the layers behind the last block read must have a row for each of the [${batch}, ${length}] positions, got [${tensor.shape.join(', ')}]; set the option taps.norm or taps.head`,
    );
  }
  const size = tensor.shape.slice(2);
  const rows = found.rowsOf(tf.reshape(tensor, [batch, length, -1]) as tf.Tensor3D);
  return tf.reshape(rows, [found.positions.length, ...size]);
}

/** @throws IlrecError when a label is no token of the vocabulary. */
export function checkTokens(found: ResponsePositions, vocabSize: number, ignoreIndex: number): void {
  const at = found.positions.find(
    (position) => found.allLabels[position] < 0 || found.allLabels[position] >= vocabSize,
  );
  if (at === undefined) return;
  throw new IlrecError(
    `ilrec: labels must be tokens below the ${vocabSize} of the model's vocabulary, or ${ignoreIndex}, got ${found.allLabels[at]}`,
  );
}

/** @throws IlrecError when a token of the slice is none of the vocabulary. */
export function checkItemTokens(itemTokens: ArrayLike<number> | undefined, vocabSize: number): void {
  const wrong = Array.from(itemTokens ?? []).find((token) => !(token >= 0 && token < vocabSize));
  if (wrong !== undefined)
    throw new IlrecError(
      `ilrec: itemTokens must be tokens below the ${vocabSize} of the model's vocabulary, got ${wrong}`,
    );
}
