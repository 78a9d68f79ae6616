import * as tf from '@tensorflow/tfjs-core';
import { staysOnDevice } from './device_head';
import { readHeadOnDevice } from './device_reading';
import { OnlineSoftmax } from './online_softmax';
import { Running } from './running';
import { hiddenSizeOf, type VocabularyProjection, type VocabularyTile } from './vocabulary_projection';
import { forEachTile } from './vocabulary_tiles';

export interface ReadHeadOptions {
  /** How many of the first rows get E_p[W]. Gradients need it; log-probabilities do not. */
  readonly numExpected: number;
  /** Rows of logits that `visit` makes of each tile on its own; they make the tiles narrower. Default 0. */
  readonly numOtherRows?: number;
  /** Called for each tile with its logits [R, tile] and the softmax of everything read so far. */
  readonly visit?: (tile: VocabularyTile, logits: tf.Tensor2D, softmax: OnlineSoftmax) => void;
}

export interface HeadReading {
  /** Softmax of each row over the whole vocabulary; the caller disposes it. */
  readonly softmax: OnlineSoftmax;
  /** E_p[W] = sum_v p(v) W_v of the first rows, [numExpected, D]; null for none. */
  readonly expectations: tf.Tensor2D | null;
}

/**
 * Reads a head once, tile by tile, as flash attention reads its keys (with K = V = W): the softmax of each hidden
 * state, and its expected row of W. Logits [R, V] never exist as a whole.
 *
 * @param hidden [R, D].
 */
export function readHead(
  head: VocabularyProjection,
  hidden: tf.Tensor2D,
  { numExpected, numOtherRows = 0, visit }: ReadHeadOptions,
): HeadReading {
  const [numRows] = hidden.shape;
  const softmax = new OnlineSoftmax(numRows);
  // sums of e^(z - m) W
  const sums = numExpected > 0 ? new Running(tf.zeros([numExpected, hiddenSizeOf(head)]) as tf.Tensor2D) : null;
  const first = (rows: tf.Tensor2D): tf.Tensor2D =>
    numExpected === numRows ? rows : tf.slice(rows, [0, 0], [numExpected, rows.shape[1]]);
  forEachTile(head, numRows + numOtherRows, (tile) => {
    const logits = tile.logitsOf(hidden); // [R, tile]
    const { exponentials, factor } = softmax.add(logits);
    visit?.(tile, logits, softmax);
    if (sums !== null) sums.set(tf.add(tf.mul(sums.value, first(factor)), tile.sumsOfRows(first(exponentials))));
  });
  const expectations = sums === null ? null : (tf.div(sums.value, first(softmax.sums)) as tf.Tensor2D);
  sums?.dispose();
  return { softmax, expectations };
}

/**
 * The same as tensors, on any backend; nothing is read back to the CPU.
 *
 * @returns log sum e^z of each row [R, 1], and E_p[W] of each row [R, D] where asked for.
 */
export function logSumExpOfHead(
  head: VocabularyProjection,
  hidden: tf.Tensor2D,
  withExpectations: boolean,
): { logSumExp: tf.Tensor2D; expectations: tf.Tensor2D | null } {
  const numExpected = withExpectations ? hidden.shape[0] : 0;
  if (staysOnDevice()) return readHeadOnDevice(head, hidden, { numExpected });
  const { softmax, expectations } = readHead(head, hidden, { numExpected });
  const logSumExp = softmax.logSumExp();
  softmax.dispose();
  return { logSumExp, expectations };
}
