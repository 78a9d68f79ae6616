import * as tf from '@tensorflow/tfjs-core';
import { OnlineSoftmax } from './online_softmax';
import { Running } from './running';
import { hiddenSizeOf, type VocabularyProjection } from './vocabulary_projection';
import { forEachTile } from './vocabulary_tiles';
import type { CandidateBuffer } from './candidates';

/** The hidden states that one pass over the vocabulary reads. */
export interface StreamedRows {
  /** The final layer's, [P, D]. */
  readonly final: tf.Tensor2D;
  /** The intermediate layers' where each has a distribution to be compared, layer after layer, [S * P, D]; null where none is. */
  readonly students: tf.Tensor2D | null;
  /** What z~ is the logit of, the layers' mean, [P, D]; null where nothing asks for it, or where z~ is the mean of the students' logits. */
  readonly ensemble: tf.Tensor2D | null;
}

/** What a pass over the vocabulary finds. */
export interface Expectations {
  /** log sum e^z of the final rows, [P]. */
  readonly final: Float64Array;
  /** Of the students, [S * P]. */
  readonly students: Float64Array;
  /** Of z~, [P]; empty where it was not asked for. */
  readonly ensemble: Float64Array;
  /** E_p[W] = sum_v p(v) W_v of the rows that it was asked for, the final ones first, [P or P + S * P, D]; null for none. */
  readonly rows: tf.Tensor2D | null;
}

export interface CandidateSearch {
  readonly buffer: CandidateBuffer;
  /** Below which z~ a token will not be a negative, [P], from the normalisers of what has been seen of z^L (of all rows) and of z~. */
  cutoffsOf(final: Float64Array, ensemble: Float64Array): Float64Array;
}

/**
 * One pass over the vocabulary, tile by tile, as flash attention goes over its keys with K = V = W: normalisers and expected rows of W of every hidden
 * state, and the tokens that may be negatives. Logits [R, V] never exist as a whole.
 *
 * @param candidates where to put the tokens that may be negatives; null where no negatives are asked for.
 * @param expected of which rows E_p[W] is asked for: gradients need it of all, the value of KL of the final ones.
 */
export function streamExpectations(
  head: VocabularyProjection,
  { final, students, ensemble }: StreamedRows,
  candidates: CandidateSearch | null,
  expected: 'none' | 'final' | 'all',
): Expectations {
  const numFinal = final.shape[0];
  const hidden = students === null ? final : tf.concat([final, students], 0); // [R, D]
  const rows = hidden.shape[0];
  const softmax = new OnlineSoftmax(rows);
  const blendedSoftmax = new OnlineSoftmax(candidates === null ? 0 : numFinal);
  const numExpected = { none: 0, final: numFinal, all: rows }[expected];
  const first = (x: tf.Tensor2D): tf.Tensor2D =>
    numExpected === rows ? x : tf.slice(x, [0, 0], [numExpected, x.shape[1]]);
  const sums = numExpected > 0 ? new Running(tf.zeros([numExpected, hiddenSizeOf(head)]) as tf.Tensor2D) : null;
  forEachTile(head, rows + (ensemble === null ? 0 : numFinal), (tile) => {
    const { start, size } = tile;
    const logits = tile.logitsOf(hidden); // [R, tile]
    const { exponentials, factor } = softmax.add(logits);
    if (candidates !== null) {
      const blended = ensemble === null ? meanOfLayers(logits, numFinal) : tile.logitsOf(ensemble); // z~ [P, tile]
      blendedSoftmax.add(blended);
      const cutoffs = candidates.cutoffsOf(softmax.logNormalisers(), blendedSoftmax.logNormalisers());
      const open = candidates.buffer.raise(cutoffs, tf.max(blended, 1).dataSync<'float32'>());
      if (open.length > 0) {
        // in a trained model, few rows have any
        const [z, zFinal] = [blended, logits].map((each) =>
          tf.gather(each, tf.tensor1d(open, 'int32')).dataSync<'float32'>(),
        );
        candidates.buffer.add(open, start, size, z, zFinal);
      }
    }
    if (sums !== null) sums.set(tf.add(tf.mul(sums.value, first(factor)), tile.sumsOfRows(first(exponentials))));
  });
  const normalisers = softmax.logNormalisers();
  const found: Expectations = {
    final: normalisers.subarray(0, numFinal),
    students: normalisers.subarray(numFinal),
    ensemble: blendedSoftmax.logNormalisers(),
    rows: sums === null ? null : (tf.div(sums.value, first(softmax.sums)) as tf.Tensor2D),
  };
  for (const each of [softmax, blendedSoftmax, sums]) each?.dispose();
  return found;
}

/** z~ of the students' logits, which follow the final layer's: [P, tile]. */
function meanOfLayers(logits: tf.Tensor2D, numFinal: number): tf.Tensor2D {
  const [rows, size] = logits.shape;
  const layers = rows / numFinal - 1;
  return tf.mean<tf.Tensor2D>(
    tf.reshape(tf.slice(logits, [numFinal, 0], [rows - numFinal, size]), [layers, numFinal, size]),
    0,
  );
}
