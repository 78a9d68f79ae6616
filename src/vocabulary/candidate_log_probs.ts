import * as tf from '@tensorflow/tfjs-core';
import { type CandidateHead, type Candidates, columnsOf } from './candidate_cross_entropy';
import { candidateLogits } from './candidate_logits';

/** Scores that are in memory at once, 16 MiB, and the most positions that share them. */
const [SCORES_AT_ONCE, MOST_ROWS] = [2 ** 22, 256];

/** How many positions are scored at once over N candidates. */
export function rowsPerBlock(numCandidates: number): number {
  return Math.max(1, Math.min(MOST_ROWS, Math.floor(SCORES_AT_ONCE / numCandidates)));
}

/**
 * Calls `visit` with the scores of blocks of positions, which take part in no gradient, and puts together what it makes
 * of them. Each call is in a tidy of its own.
 *
 * @param hidden [P, D].
 * @param visit gets scores [R, M] and the first position of the block, and returns [R, ...].
 * @returns [P, ...]
 */
export function mapCandidateLogits<T extends tf.Tensor>(
  hidden: tf.Tensor2D,
  head: CandidateHead,
  candidates: Candidates,
  visit: (logits: tf.Tensor2D, start: number) => T,
): T {
  const parts = blocksOf(candidates).map((block) =>
    tf.tidy(() =>
      visit(candidateLogits(rowsFrom(hidden, block.start, block.size), head, block.candidates), block.start),
    ),
  );
  return tf.concat(parts, 0) as T;
}

/**
 * Log-probabilities of some candidates of each position. Scores exist for a block of positions at a time.
 *
 * ```
 * lp_i = z_i - logsumexp z,   dz = sum over the named i of g_i ( 1[. = i] - softmax z )
 * ```
 * The backward pass makes the scores again.
 *
 * @param hidden [P, D].
 * @param candidates all of them shared, none the position's own.
 * @param columns the named candidates, int32 [P, G].
 * @returns [P, G]. Gradient flows to `hidden`, W, b and the repeat bias.
 */
export function candidateLogProbs(
  hidden: tf.Tensor2D,
  head: CandidateHead,
  candidates: Candidates,
  columns: tf.Tensor2D,
): tf.Tensor2D {
  const { repeatBias } = head;
  const operation = tf.customGrad((...args) => {
    const save = args[args.length - 1] as tf.GradSaveFunc;
    const [h, weight, bias, repeat = null] = args.slice(0, -1) as tf.Tensor[];
    save([h, columns, weight, bias, ...(repeat === null ? [] : [repeat])]);
    const value = mapCandidateLogits(hidden, head, candidates, (logits, start) =>
      logProbsAt(logits, rowsFrom(columns, start, logits.shape[0])),
    );
    return {
      value,
      gradFunc: (dy, saved) => {
        const [savedHidden, savedColumns, w, b, r = null] = saved;
        const savedHead = { weight: w, bias: b, repeatBias: r } as CandidateHead;
        const known = { hidden: savedHidden as tf.Tensor2D, columns: savedColumns as tf.Tensor2D };
        return gradients(dy as tf.Tensor2D, known, savedHead, candidates);
      },
    };
  });
  const inputs = [hidden, head.weight, head.bias, ...(repeatBias === null ? [] : [repeatBias])];
  return tf.tidy(() => operation(...inputs)) as tf.Tensor2D;
}

/** log softmax of scores [R, M] at some columns, int32 [R, G]: [R, G]. */
export function logProbsAt(scores: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor2D {
  return valuesAt(tf.logSoftmax(scores), columns);
}

/** Entries of [R, M] at some columns of each row, int32 [R, G]: [R, G]. */
export function valuesAt<T extends tf.Tensor2D>(values: T, columns: tf.Tensor2D): T {
  return tf.reshape(tf.gather(tf.reshape(values, [-1]), placesOf(columns, values.shape[1])), columns.shape) as T;
}

/** Flat places in [R, M] of some columns of each row, int32 [R * G]. */
function placesOf(columns: tf.Tensor2D, width: number): tf.Tensor1D {
  const starts = Int32Array.from({ length: columns.shape[0] }, (_, row) => row * width);
  return tf.reshape(tf.add(columns, tf.tensor2d(starts, [starts.length, 1], 'int32')), [-1]);
}

/** Gradients of hidden states, W, b and, if there is one, the repeat bias. */
function gradients(
  dy: tf.Tensor2D,
  { hidden, columns }: { readonly hidden: tf.Tensor2D; readonly columns: tf.Tensor2D },
  head: CandidateHead,
  candidates: Candidates,
): tf.Tensor[] {
  const { weight, bias, repeatBias } = head;
  const { numShared } = candidates;
  const ofHidden: tf.Tensor2D[] = [];
  let sums = { weight: tf.zerosLike(weight), bias: tf.zerosLike(bias), repeat: tf.zeros([1]) };
  for (const block of blocksOf(candidates)) {
    const { start, size } = block;
    const next = tf.tidy(() => {
      const h = rowsFrom(hidden, block.start, block.size); // [R, D]
      const g = rowsFrom(dy, start, size); // [R, G]
      const probabilities = tf.softmax(candidateLogits(h, head, block.candidates)); // [R, M]
      const places = placesOf(rowsFrom(columns, start, size), numShared);
      const named = tf.unsortedSegmentSum(tf.reshape(g, [-1]), places, size * numShared);
      const dz = tf.sub<tf.Tensor2D>(tf.reshape(named, [size, numShared]), tf.mul(probabilities, tf.sum(g, 1, true))); // [R, M]
      const seen =
        repeatBias === null ? null : columnsOf(candidates.seen, candidates.seenAt, start, size, numShared, 1);
      return {
        hidden: tf.matMul(dz, weight) as tf.Tensor2D,
        weight: tf.add<tf.Tensor2D>(sums.weight, tf.matMul(dz, h, true)),
        bias: tf.add<tf.Tensor1D>(sums.bias, tf.sum(dz, 0)),
        repeat: seen === null ? tf.clone(sums.repeat) : tf.add(sums.repeat, tf.sum(tf.mul(dz, seen))),
      };
    });
    tf.dispose(sums);
    const { hidden: ofBlock, ...others } = next;
    sums = others;
    ofHidden.push(ofBlock);
  }
  const dHidden = tf.concat(ofHidden, 0);
  tf.dispose(ofHidden);
  if (repeatBias !== null) return [dHidden, sums.weight, sums.bias, sums.repeat];
  sums.repeat.dispose();
  return [dHidden, sums.weight, sums.bias];
}

interface Block {
  readonly start: number;
  readonly size: number;
  /** Those of the block's positions. */
  readonly candidates: Candidates;
}

function blocksOf(candidates: Candidates): Block[] {
  const { numPositions, numShared, numOwn, own, targets, ownMarks, leftOutAt, seenAt } = candidates;
  const rows = rowsPerBlock(numShared);
  return Array.from({ length: Math.ceil(numPositions / rows) }, (_, index) => {
    const start = index * rows;
    const size = Math.min(rows, numPositions - start);
    const [from, to] = [start * numOwn, (start + size) * numOwn];
    return {
      start,
      size,
      candidates: {
        ...candidates,
        numPositions: size,
        own: own.subarray(from, to),
        targets: targets.subarray(from, to),
        ownMarks: ownMarks.subarray(from, to),
        leftOutAt: leftOutAt.subarray(start, start + size + 1),
        seenAt: seenAt.subarray(start, start + size + 1),
      },
    };
  });
}

function rowsFrom(tensor: tf.Tensor2D, start: number, size: number): tf.Tensor2D {
  return tf.slice(tensor, [start, 0], [size, tensor.shape[1]]);
}
