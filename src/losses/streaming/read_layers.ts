import * as tf from '@tensorflow/tfjs-core';
import type { CandidateBuffer } from '../../vocabulary/candidates';
import { OnlineSoftmax } from '../../vocabulary/online_softmax';
import { readHead } from '../../vocabulary/read_head';
import type { VocabularyProjection, VocabularyTile } from '../../vocabulary/vocabulary_projection';

/** The hidden states of one reading of the head. */
export interface LayerRows {
  /** The final layer's, [P, D]. */
  readonly finalHidden: tf.Tensor2D;
  /** The intermediate layers' where CPD compares each, layer after layer, [S * P, D]; else null. */
  readonly studentHidden: tf.Tensor2D | null;
  /**
   * The layers' mean, whose logits are z~, [P, D]; null where z~ is not needed or is the mean of the students' logits.
   */
  readonly ensembleHidden: tf.Tensor2D | null;
}

export interface LayerReading {
  /** log sum e^z of z^L, [P]. */
  readonly finalLogSumExp: Float64Array;
  /** Of the students' z^l, [S * P]. */
  readonly studentLogSumExp: Float64Array;
  /** Of z~, [P]; empty where no negatives were searched. */
  readonly ensembleLogSumExp: Float64Array;
  /** E_p[W] of the final rows and then of the students', [P or P + S * P, D]; null for none. */
  readonly expectations: tf.Tensor2D | null;
}

/** Where the tokens that may be negatives are collected. */
export interface CandidateSearch {
  readonly buffer: CandidateBuffer;
  /**
   * The z~ below which a token will not be a negative, [P].
   *
   * @param finalLogSumExp and ensembleLogSumExp of what has been read.
   */
  cutoffsOf(finalLogSumExp: Float64Array, ensembleLogSumExp: Float64Array): Float64Array;
}

/** Which rows get E_p[W]: gradients need it of all, the value of CPD of the final ones. */
export type Expected = 'none' | 'final' | 'all';

/** Reads the head once for the final layer, the students and z~. @param search null where no negatives are needed. */
export function readLayers(
  head: VocabularyProjection,
  { finalHidden, studentHidden, ensembleHidden }: LayerRows,
  search: CandidateSearch | null,
  expected: Expected,
): LayerReading {
  const numRows = finalHidden.shape[0]; // P
  const hidden = studentHidden === null ? finalHidden : tf.concat([finalHidden, studentHidden], 0); // [R, D]
  const ensembleSoftmax = search === null ? null : new OnlineSoftmax(numRows);
  const collect = (tile: VocabularyTile, logits: tf.Tensor2D, softmax: OnlineSoftmax): void => {
    if (search === null || ensembleSoftmax === null) return;
    // z~ [P, tile]
    const ensembleLogits = ensembleHidden === null ? meanOfStudents(logits, numRows) : tile.logitsOf(ensembleHidden);
    ensembleSoftmax.add(ensembleLogits);
    const cutoffs = search.cutoffsOf(softmax.readLogSumExp(), ensembleSoftmax.readLogSumExp());
    const open = search.buffer.raise(cutoffs, tf.max(ensembleLogits, 1).dataSync<'float32'>());
    if (open.length === 0) return; // in a trained model, few rows have any
    const read = (tensor: tf.Tensor2D): Float32Array =>
      tf.gather(tensor, tf.tensor1d(open, 'int32')).dataSync<'float32'>();
    search.buffer.add(open, tile.start, tile.size, read(ensembleLogits), read(logits));
  };
  const { softmax, expectations } = readHead(head, hidden, {
    numExpected: { none: 0, final: numRows, all: hidden.shape[0] }[expected],
    numOtherRows: ensembleHidden === null ? 0 : numRows,
    visit: collect,
  });
  const logSumExp = softmax.readLogSumExp();
  const reading: LayerReading = {
    finalLogSumExp: logSumExp.subarray(0, numRows),
    studentLogSumExp: logSumExp.subarray(numRows),
    ensembleLogSumExp: ensembleSoftmax?.readLogSumExp() ?? new Float64Array(0),
    expectations,
  };
  softmax.dispose();
  ensembleSoftmax?.dispose();
  return reading;
}

/** z~ as the mean of the students' logits, which follow the final layer's: [P, tile]. */
function meanOfStudents(logits: tf.Tensor2D, numRows: number): tf.Tensor2D {
  const [all, size] = logits.shape;
  const layers = all / numRows - 1;
  const students = tf.slice(logits, [numRows, 0], [all - numRows, size]); // [S * P, tile]
  return tf.mean<tf.Tensor2D>(tf.reshape(students, [layers, numRows, size]), 0);
}

/** The layers' mean at each response row: [S * P, D] to [P, D]. */
export function meanOfLayers(intermediateHidden: tf.Tensor2D, numRows: number): tf.Tensor2D {
  const [all, size] = intermediateHidden.shape;
  return tf.mean<tf.Tensor2D>(tf.reshape(intermediateHidden, [all / numRows, numRows, size]), 0);
}
