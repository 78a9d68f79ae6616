import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import type { ResponsePositions } from '../ops/response_rows';

/**
 * The labels as [B, T]; tfjs's own sparse losses take them as [B, T, 1].
 *
 * @param headInput [B, T, D].
 * @throws UnnamedError on another shape.
 */
export function labelsOf(labels: tf.Tensor, headInput: tf.Tensor3D): tf.Tensor {
  const [batchSize, sequenceLength] = headInput.shape;
  const isColumn = labels.rank === 3 && labels.shape[2] === 1;
  if (!(labels.rank === 2 || isColumn) || labels.shape[0] !== batchSize || labels.shape[1] !== sequenceLength) {
    throw new UnnamedError(
      `labels must be int32 [B, T] beside predictions [B, T, D], got [${labels.shape.join(', ')}] and ` +
        `[${headInput.shape.join(', ')}]`,
    );
  }
  return isColumn ? tf.reshape(labels, [batchSize, sequenceLength]) : labels;
}

/**
 * The rows of a tensor [B, T, ...] at the response positions, [P, ...]; gradient flows.
 *
 * @param labels [B, T].
 * @throws UnnamedError when the tensor does not have these positions.
 */
export function rowsAt(found: ResponsePositions, tensor: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const [batchSize, sequenceLength] = labels.shape;
  if (tensor.shape[0] !== batchSize || tensor.shape[1] !== sequenceLength) {
    throw new UnnamedError(
      `what the layers behind the last block read must have a row for each of the [${batchSize}, ` +
        `${sequenceLength}] positions, got [${tensor.shape.join(', ')}]; set the option taps.norm or taps.head`,
    );
  }
  const size = tensor.shape.slice(2);
  const rows = found.rowsOf(tf.reshape(tensor, [batchSize, sequenceLength, -1]) as tf.Tensor3D);
  return tf.reshape(rows, [found.positions.length, ...size]);
}

/** @throws UnnamedError when a label is not a token of the vocabulary. */
export function checkLabels(found: ResponsePositions, vocabSize: number, ignoreIndex: number): void {
  const wrong = found.positions.find((position) => !isToken(found.allLabels[position], vocabSize));
  if (wrong === undefined) return;
  throw new UnnamedError(
    `labels must be tokens below the ${vocabSize} of the model's vocabulary, or ${ignoreIndex}, got ` +
      `${found.allLabels[wrong]}`,
  );
}

function isToken(token: number, vocabSize: number): boolean {
  return token >= 0 && token < vocabSize;
}
