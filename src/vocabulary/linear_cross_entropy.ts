import * as tf from '@tensorflow/tfjs-core';
import { calledAs, UnnamedError } from '../errors';
import { labelsOnCpu } from '../ops/labels_on_cpu';
import { type LabelledRows, logProbsOfLabels } from './log_probs';
import {
  hiddenSizeOf,
  type LinearHead,
  toProjection,
  type VocabularyProjection,
  vocabSizeOf,
} from './vocabulary_projection';

export interface LinearCrossEntropyOptions {
  /** Label of rows that do not count. Default -100. */
  ignoreIndex?: number;
}

/**
 * Computes the mean cross-entropy of labels under a linear head without making the logits [P, V].
 *
 * ```
 * z = W h + b,   L = mean over labelled rows of [ logsumexp(z) - z(y) ]
 * ```
 * The head is read in tiles of the vocabulary, so memory does not grow with V. A head whose logits fit one tile is read
 * in one piece. Rows without a label are left out before the head is read and cost nothing. The same idea: Cut
 * Cross-Entropy (Wijmans et al., arXiv 2411.09009).
 *
 * @param hidden [P, D]: what the head reads. Reshape [B, T, D] to [B * T, D].
 * @param head W [V, D], or `{ weight, layout, bias, isFrozen }`; a tfjs dense kernel [D, V] has the layout 'columns'.
 * @param labels int32 [P], each in [0, V) or `ignoreIndex`. They are read on the CPU; on WebGPU they must come from
 *   there, as the labels of a batch do.
 * @param options see `LinearCrossEntropyOptions`.
 * @returns scalar, mean over the labelled rows; 0 where there are none. The gradient is exact and flows to `hidden`,
 *   weight and bias; not to a frozen head or to variables that are not trainable.
 * @throws IlrecError when shapes do not fit together or a label is out of range.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { linearCrossEntropy } from 'tfjs-ilrec';
 *
 * const hidden = tf.tensor2d([[1, 0], [0, 1]]); // [P, D]
 * const weight = tf.tensor2d([[2, 0], [0, 0], [1, 0]]); // [V, D]: logits [2, 0, 1] and [0, 0, 0]
 * const loss = linearCrossEntropy(hidden, weight, tf.tensor1d([0, -100], 'int32'));
 * console.log(loss.dataSync()[0].toFixed(4)); // 0.4076
 * ```
 */
export function linearCrossEntropy(
  hidden: tf.Tensor2D,
  head: LinearHead,
  labels: tf.Tensor1D,
  options: LinearCrossEntropyOptions = {},
): tf.Scalar {
  const { projection, labelled } = checked('linearCrossEntropy', hidden, head, labels, options);
  return tf.tidy(() => {
    const sum = tf.sum(logProbsOfLabels(hidden, projection, labelled));
    return tf.sub(0, tf.div(sum, Math.max(1, labelled.labels.length)));
  });
}

/**
 * Computes the log-probability of each row's label under a linear head without making the logits [P, V].
 *
 * ```
 * z = W h + b,   out_p = z_p(y_p) - logsumexp(z_p)
 * ```
 * Preference losses are sums of these: DPO is `-log sigma(beta * (sum of chosen - sum of rejected))`, with those of a
 * reference model taken away. Memory and cost are those of `linearCrossEntropy`.
 *
 * @param hidden [P, D]: what the head reads. Reshape [B, T, D] to [B * T, D].
 * @param head W [V, D], or `{ weight, layout, bias, isFrozen }`; a tfjs dense kernel [D, V] has the layout 'columns'.
 * @param labels int32 [P], each in [0, V) or `ignoreIndex`. They are read on the CPU; on WebGPU they must come from
 *   there, as the labels of a batch do.
 * @param options see `LinearCrossEntropyOptions`.
 * @returns [P], at most 0; exactly 0 in rows without a label. The gradient is exact and flows to `hidden`, weight and
 *   bias; not to a frozen head or to variables that are not trainable.
 * @throws IlrecError when shapes do not fit together or a label is out of range.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { responseLogProbs } from 'tfjs-ilrec';
 *
 * const hidden = tf.tensor2d([[1, 0], [0, 1]]); // [P, D]
 * const weight = tf.tensor2d([[2, 0], [0, 0], [1, 0]]); // [V, D]: logits [2, 0, 1] and [0, 0, 0]
 * const logProbs = responseLogProbs(hidden, weight, tf.tensor1d([2, 1], 'int32'));
 * console.log([...logProbs.dataSync()].map((value) => value.toFixed(4))); // [ '-1.4076', '-1.0986' ]
 * ```
 */
export function responseLogProbs(
  hidden: tf.Tensor2D,
  head: LinearHead,
  labels: tf.Tensor1D,
  options: LinearCrossEntropyOptions = {},
): tf.Tensor1D {
  const { projection, labelled } = checked('responseLogProbs', hidden, head, labels, options);
  return logProbsOfLabels(hidden, projection, labelled);
}

function checked(
  name: string,
  hidden: tf.Tensor2D,
  head: LinearHead,
  labels: tf.Tensor1D,
  { ignoreIndex = -100 }: LinearCrossEntropyOptions,
): { projection: VocabularyProjection; labelled: LabelledRows } {
  return calledAs(name, () => {
    const projection = toProjection(head);
    const [vocabSize, hiddenSize] = [vocabSizeOf(projection), hiddenSizeOf(projection)];
    if (!((hidden as unknown) instanceof tf.Tensor) || hidden.rank !== 2 || hidden.shape[1] !== hiddenSize)
      throw new UnnamedError(
        `hidden must be [P, ${hiddenSize}] for a weight [${projection.weight.shape.join(', ')}] in ` +
          `${projection.layout}, got ${shapeOf(hidden)}; layout is 'rows' for [V, D] and 'columns' for [D, V]`,
      );
    const numRows = hidden.shape[0];
    if (!((labels as unknown) instanceof tf.Tensor) || labels.rank !== 1 || labels.shape[0] !== numRows)
      throw new UnnamedError(`labels must be [${numRows}], one for each row of hidden, got ${shapeOf(labels)}`);
    const all = labelsOnCpu(labels);
    const places = Int32Array.from(all.keys()).filter((row) => all[row] !== ignoreIndex);
    const outside = places.find((row) => !(all[row] >= 0 && all[row] < vocabSize));
    if (outside !== undefined)
      throw new UnnamedError(
        `label ${outside} must be in [0, ${vocabSize}) or the ignoreIndex ${ignoreIndex}, got ${all[outside]}`,
      );
    return { projection, labelled: { places, labels: places.map((row) => all[row]) } };
  });
}

function shapeOf(given: unknown): string {
  return given instanceof tf.Tensor ? `[${given.shape.join(', ')}]` : typeof given;
}
