import * as tf from '@tensorflow/tfjs-core';
import { type CandidateHead, type Candidates, columnsOf, LEFT_OUT } from './candidate_cross_entropy';

/**
 * The scores of a batch's candidates, for losses that compare whole distributions: M shared ones, behind the K own ones
 * where these count. What takes no part in the softmax has a score of about -1e9.
 *
 * @param hidden [P, D], or the same positions of several layers one after the other, [S * P, D].
 * @returns [P, K + M] or [P, M]; [S * P, ...] for several layers. Gradient flows to `hidden` and the head.
 */
export function candidateLogits(
  hidden: tf.Tensor2D,
  { weight, bias, repeatBias }: CandidateHead,
  candidates: Candidates,
): tf.Tensor2D {
  const { numPositions, numShared, numOwn, ownCount, ownMarks, own, sharedOffset } = candidates;
  const hiddenSize = hidden.shape[1];
  const times = hidden.shape[0] / numPositions; // S
  const repeated = (rows: tf.Tensor): tf.Tensor => (times === 1 ? rows : tf.tile(rows, [times, 1]));
  return tf.tidy(() => {
    const shape: [number, number] = [numPositions, numShared];
    const leftOut = columnsOf(candidates.leftOut, candidates.leftOutAt, 0, numPositions, numShared, LEFT_OUT);
    const products = tf.matMul(hidden, tf.slice(weight, [0, 0], [numShared, hiddenSize]), false, true);
    let shared: tf.Tensor = tf.add(products, tf.add(tf.slice(bias, 0, numShared), sharedOffset));
    if (leftOut !== null) shared = tf.add(shared, repeated(leftOut));
    if (repeatBias !== null) {
      const seen = columnsOf(candidates.seen, candidates.seenAt, 0, numPositions, numShared, 1) ?? tf.zeros(shape);
      shared = tf.add(shared, tf.mul(repeated(seen), repeatBias));
    }
    if (!ownCount) return shared as tf.Tensor2D;
    const ids = tf.tensor1d(own, 'int32');
    const rows = repeated(tf.reshape(tf.gather(weight, ids), [numPositions, numOwn * hiddenSize])); // [S * P, K * D]
    const ownShape: [number, number] = [numPositions, numOwn];
    const ofRows = tf.sum(tf.mul(tf.reshape(rows, [-1, numOwn, hiddenSize]), tf.expandDims(hidden, 1)), 2); // [S * P, K]
    const offsets = tf.tensor2d(
      Float32Array.from(ownMarks, (mark) => (mark === 2 ? LEFT_OUT : 0)),
      ownShape,
    );
    let ofOwn: tf.Tensor = tf.add(ofRows, repeated(tf.add(tf.reshape(tf.gather(bias, ids), ownShape), offsets)));
    if (repeatBias !== null) {
      const marks = tf.tensor2d(
        Float32Array.from(ownMarks, (mark) => (mark === 1 ? 1 : 0)),
        ownShape,
      );
      ofOwn = tf.add(ofOwn, tf.mul(repeated(marks), repeatBias));
    }
    return tf.concat([ofOwn, shared], 1) as tf.Tensor2D;
  });
}

/** Values of the own candidates [P, K] at their columns of the scores, 0 elsewhere. */
export function atCandidates(values: tf.Tensor2D, candidates: Candidates): tf.Tensor2D {
  const { numPositions, numShared, numOwn, ownCount, own } = candidates;
  if (ownCount)
    return tf.pad(values, [
      [0, 0],
      [0, numShared],
    ]);
  const places = own.map((item, at) => Math.floor(at / numOwn) * numShared + item); // padding has the value 0
  const flat = tf.unsortedSegmentSum(tf.reshape(values, [-1]), tf.tensor1d(places, 'int32'), numPositions * numShared);
  return tf.reshape(flat, [numPositions, numShared]);
}

/** The column of each position's label, int32 [P]. */
export function labelColumns({ numPositions, numOwn, ownCount, own }: Candidates): tf.Tensor1D {
  return tf.tensor1d(
    Int32Array.from({ length: numPositions }, (_, p) => (ownCount ? 0 : own[p * numOwn])),
    'int32',
  );
}
