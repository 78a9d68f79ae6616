import * as tf from '@tensorflow/tfjs-core';
import { runHeadKernel, staysOnDevice } from './device_head';
import { headGradient, type HeadGradient, sortedByToken, tileOfEntries } from './head_gradient';
import { logSumExpOfHead } from './read_head';
import { ofTokens } from './head_of_tokens';
import {
  hiddenSizeOf,
  type TrainedParts,
  trainedParts,
  type VocabularyProjection,
  vocabSizeOf,
} from './vocabulary_projection';
import { tileWidth } from './vocabulary_tiles';

/** The rows that have a label, on the CPU. */
export interface LabelledRows {
  /** Which of the P rows, ascending, [Q]. */
  readonly places: Int32Array;
  /** Their labels, each in [0, V), [Q]. */
  readonly labels: Int32Array;
}

/**
 * Log-probability of the label of each row, for a head that is read tile by tile.
 *
 * ```
 * log p = z_y - logsumexp(z),   d log p / dh = W_y - E_p[W],   d log p / dW_v = (1[v = y] - p(v)) h
 * ```
 * The forward pass reads the head once, for logsumexp and E_p[W]. The backward pass scales W_y - E_p[W] by the incoming
 * gradient; where the head is trained it reads the head a second time, as p(v) has to be made again.
 *
 * @param hidden [P, D].
 * @returns [P], 0 in rows without a label.
 */
export function logProbsOfLabels(
  hidden: tf.Tensor2D,
  head: VocabularyProjection,
  { places, labels }: LabelledRows,
): tf.Tensor1D {
  const numRows = hidden.shape[0];
  if (!isRecorded()) {
    if (places.length === 0) return tf.zeros([numRows]);
    return tf.tidy(() => spread(forward(pick(hidden, places), head, labels, false).logProbs, places, numRows));
  }
  const trains = trainedParts(head);
  const { weight, bias } = head;
  const inputs = [hidden, trains.weight ? weight : null, trains.bias ? bias : null].filter((each) => each !== null);
  const recorded = tf.customGrad((...args) => {
    const save = args[args.length - 1] as tf.GradSaveFunc;
    if (places.length === 0) {
      save(inputs);
      return { value: tf.zeros([numRows]), gradFunc: (_, saved) => saved.map((each) => tf.zerosLike(each)) };
    }
    const labelledHidden = pick(hidden, places); // [Q, D]
    const { logProbs, slopes, logSumExp } = forward(labelledHidden, head, labels, true);
    save([slopes as tf.Tensor2D, labelledHidden, logSumExp, weight, ...(bias === null ? [] : [bias])]);
    return {
      value: spread(logProbs, places, numRows),
      gradFunc: (dy, saved) =>
        tf.tidy(() => {
          const factors = tf.reshape(pick(dy as tf.Tensor1D, places), [-1, 1]) as tf.Tensor2D; // [Q, 1]
          const dHidden = spread(tf.mul(saved[0], factors), places, numRows); // [P, D]
          const dHead = gradientOfHead(
            { ...head, weight: saved[3] as tf.Tensor2D, bias: bias === null ? null : (saved[4] as tf.Tensor1D) },
            { hidden: saved[1] as tf.Tensor2D, logSumExp: saved[2] as tf.Tensor2D, factors, labels },
            trains,
          );
          return [dHidden, dHead.weight, dHead.bias].filter((each) => each !== null);
        }),
    };
  });
  return tf.tidy(() => recorded(...inputs)) as tf.Tensor1D;
}

/** Whether operations are recorded for a gradient now; not so inside the forward pass of a `tf.customGrad`. */
function isRecorded(): boolean {
  const { gradientDepth, kernelDepth } = tf.engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

interface Forward {
  /** [Q] */
  readonly logProbs: tf.Tensor1D;
  /** W_y - E_p[W], [Q, D]; null where no gradient is asked for. */
  readonly slopes: tf.Tensor2D | null;
  /** [Q, 1] */
  readonly logSumExp: tf.Tensor2D;
}

/** @param hidden [Q, D], Q > 0. */
function forward(hidden: tf.Tensor2D, head: VocabularyProjection, labels: Int32Array, withSlopes: boolean): Forward {
  const { weight, bias } = ofTokens(head, tf.tensor1d(labels, 'int32')); // W_y [Q, D], b_y [Q]
  const { logSumExp, expectations } = logSumExpOfHead(head, hidden, withSlopes);
  const products = tf.sum(tf.mul(hidden, weight), 1); // [Q]
  const labelLogits = bias === null ? products : tf.add(products, bias); // z_y [Q]
  const difference = tf.sub(labelLogits, tf.squeeze(logSumExp, [1])); // [Q]; rounding can put it above 0
  const logProbs = tf.minimum(difference, 0) as tf.Tensor1D;
  return { logProbs, slopes: expectations === null ? null : tf.sub<tf.Tensor2D>(weight, expectations), logSumExp };
}

/** What the head's gradient is made of: Q rows, and the gradient that comes in for the log-probability of each. */
interface IncomingGradient {
  /** [Q, D] */
  readonly hidden: tf.Tensor2D;
  /** [Q, 1] */
  readonly logSumExp: tf.Tensor2D;
  /** [Q, 1] */
  readonly factors: tf.Tensor2D;
  /** [Q] */
  readonly labels: Int32Array;
}

/** dW_v = sum over the rows of factor (1[v = y] - p(v)) h, and the same without h for the bias. */
function gradientOfHead(
  head: VocabularyProjection,
  { hidden, logSumExp, factors, labels }: IncomingGradient,
  trains: TrainedParts,
): HeadGradient {
  if (!trains.weight && !trains.bias) return { weight: null, bias: null };
  const numRows = hidden.shape[0];
  if (staysOnDevice()) {
    const known = tf.concat([tf.tensor2d(Float32Array.from(labels), [numRows, 1]), logSumExp, factors], 1); // [Q, 3]
    const gradients = runHeadKernel(
      'ILRecLogProbGradient',
      head,
      { hidden, known },
      {
        width: tileWidth(numRows, vocabSizeOf(head), hiddenSizeOf(head)),
        trainsWeight: trains.weight ? 1 : 0,
        trainsBias: trains.bias ? 1 : 0,
      },
    );
    return {
      weight: trains.weight ? (gradients.shift() as tf.Tensor2D) : null,
      bias: trains.bias ? (gradients.shift() as tf.Tensor1D) : null,
    };
  }
  const oneHot = sortedByToken({
    rows: [...labels.keys()],
    tokens: [...labels],
    factors: Array.from(labels, () => 1),
  });
  const ofTile = (logits: tf.Tensor2D, start: number, size: number): tf.Tensor2D => {
    const probabilities = tf.exp(tf.sub(logits, logSumExp)); // [Q, tile]
    return tf.mul(tf.sub(tileOfEntries(oneHot, numRows, start, size), probabilities), factors);
  };
  return headGradient(
    head,
    numRows,
    (tile) => ({ factors: ofTile(tile.logitsOf(hidden), tile.start, tile.size), hidden }),
    trains,
  );
}

/** Some of the rows of a [P, ...]. */
function pick<T extends tf.Tensor>(tensor: T, places: Int32Array): T {
  return places.length === tensor.shape[0] ? tensor : (tf.gather(tensor, tf.tensor1d(places, 'int32')) as T);
}

/** The opposite: rows [Q, ...] in their places of a [P, ...], 0 elsewhere. */
function spread<T extends tf.Tensor>(rows: T, places: Int32Array, numRows: number): T {
  if (places.length === numRows) return rows;
  return tf.unsortedSegmentSum(rows, tf.tensor1d(places, 'int32'), numRows) as T;
}
