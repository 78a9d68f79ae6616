import * as tf from '@tensorflow/tfjs-core';
import { oneHotLabels } from '../losses/cross_entropy';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import type { TokenRestriction } from '../rewards/valid_items';
import { logProbsOfLabels } from '../vocabulary/log_probs';
import { vocabSizeOf } from '../vocabulary/vocabulary_projection';
import { isStreamed } from '../vocabulary/vocabulary_tiles';
import { rewardContext, type TappedBatch } from './tapped_batch';

export interface RowLogProbsOptions {
  /**
   * Tokens that the softmax is restricted to, such as `validItems(...)`; the method must then keep the token ids, with
   * `inputIds: true`. Default the whole vocabulary.
   */
  restrictTo?: TokenRestriction;
}

/**
 * Computes the log-probability of each row's response: the sum over its tokens.
 *
 * ```
 * log pi(y|x) = sum_t [ z_t(y_t) - logsumexp(z_t) ]
 * ```
 * It is what losses of preference learning are made of. A large head is read tile by tile, so that logits of the
 * response positions never exist; not so with `restrictTo`.
 *
 * @param batch what a loss of `tappedMethod` gets.
 * @param options see `RowLogProbsOptions`.
 * @returns [B], 0 in rows without a response. Gradient flows to the model.
 * @throws IlrecError when a label is not a token of the model's vocabulary.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, rowLogProbs, tappedMethod } from 'tfjs-ilrec';
 *
 * // Chosen and rejected responses in turn, without a reference.
 * const method = tappedMethod({
 *   name: 'contrast',
 *   loss: (batch) => {
 *     const pairs = tf.reshape(rowLogProbs(batch), [-1, 2]); // [B / 2, 2]
 *     return { total: tf.mean(tf.softplus(tf.sub(tf.slice(pairs, [0, 1]), tf.slice(pairs, [0, 0], [-1, 1])))) };
 *   },
 * });
 * const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 });
 * model.compile({ optimizer: 'adam', loss: method.loss });
 * method.attach(model);
 * const inputIds = tf.tensor2d([[1, 3], [1, 4]], [2, 2], 'int32');
 * const labels = tf.tensor2d([[3, 5], [4, -100]], [2, 2], 'int32');
 * const { history } = await model.fit(inputIds, labels, { epochs: 3, shuffle: false, verbose: 0 });
 * method.detach();
 * console.log(history.loss[2] < history.loss[0]); // true
 * ```
 */
export function rowLogProbs(batch: TappedBatch, { restrictTo }: RowLogProbsOptions = {}): tf.Tensor1D {
  const { positions, sequenceLength, batchSize } = batch;
  if (positions.length === 0) return tf.zeros([batchSize]);
  return tf.tidy(() => {
    const rows = tf.tensor1d(
      positions.map((position) => Math.floor(position / sequenceLength)),
      'int32',
    ); // [P]
    return tf.unsortedSegmentSum(tokenLogProbs(batch, { restrictTo }), rows, batchSize) as tf.Tensor1D;
  });
}

/** Log-probability of each label, [P]. Gradient flows to the model. */
export function tokenLogProbs(batch: TappedBatch, { restrictTo }: RowLogProbsOptions = {}): tf.Tensor1D {
  const { head, labels, labelIds } = batch;
  if (restrictTo === undefined && head !== null && isStreamed(vocabSizeOf(head), labelIds.length))
    return logProbsOfLabels(batch.finalHidden(), head, { places: Int32Array.from(labelIds.keys()), labels: labelIds });
  const logits = batch.finalLogits(); // [P, V]
  const restricted =
    restrictTo === undefined ? logits : tf.add<tf.Tensor2D>(logits, restrictTo(rewardContext(batch, logits.shape[1])));
  return tf.neg(softCrossEntropy(restricted, oneHotLabels(labels, logits.shape[1])));
}
