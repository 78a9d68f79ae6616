import * as tf from '@tensorflow/tfjs-core';
import type { FutureTokens, FutureTokensReader } from '../rewards/future_tokens';
import { ofTokens } from '../vocabulary/head_of_tokens';
import type { VocabularyProjection } from '../vocabulary/vocabulary_projection';
import type { TappedBatch } from './tapped_batch';

/**
 * What the next items change in the loss of a model that writes an item in several tokens.
 *
 * ```
 * f (CE(c) - CE(y)) = f mean_t [ z_t(y_t) - sum_v c_t(v) z_t(v) ]
 * ```
 * c is the mass of tokens that may come next, of `futureTokens`; the log-sum-exp cancels, whatever the softmax is over.
 *
 * @param weight f.
 */
export function futureTerm(batch: TappedBatch, weight: number, reader: FutureTokensReader): tf.Scalar {
  const { labelIds, head, inputIds, allLabels: labels, batchSize, sequenceLength, positions } = batch;
  const moved = differences(labelIds, reader({ inputIds, labels, batchSize, sequenceLength, positions }));
  if (moved.shares.length === 0) return tf.scalar(0);
  const scores = head === null ? logitsAt(batch.finalLogits(), moved) : scoresOf(batch.finalHidden(), head, moved);
  return tf.mul(tf.sum(tf.mul(scores, moved.shares)), weight / labelIds.length) as tf.Scalar;
}

interface Places {
  readonly rows: Int32Array;
  readonly tokens: Int32Array;
}

/** 1 - c(y) at the labels, -c(v) elsewhere, without zeros. */
function differences(
  labelIds: Int32Array,
  { rows, tokens, masses }: FutureTokens,
): Places & { readonly shares: Float32Array } {
  const shares = Float32Array.from(masses, (mass, i) => (tokens[i] === labelIds[rows[i]] ? 1 - mass : -mass));
  const isMoved = (_: number, i: number): boolean => shares[i] !== 0;
  return {
    rows: rows.filter(isMoved),
    tokens: tokens.filter(isMoved),
    shares: shares.filter(isMoved),
  };
}

/** [K] */
function scoresOf(hidden: tf.Tensor2D, head: VocabularyProjection, { rows, tokens }: Places): tf.Tensor {
  const distinct = Int32Array.from(new Set(tokens));
  const columnOf = new Map(Array.from(distinct, (token, column) => [token, column]));
  const columns = tf.tensor1d(
    tokens.map((token) => columnOf.get(token) as number),
    'int32',
  );
  const { weight, bias } = ofTokens(head, tf.tensor1d(distinct, 'int32'));
  const products = tf.sum(tf.mul(tf.gather(hidden, tf.tensor1d(rows, 'int32')), tf.gather(weight, columns)), 1);
  return bias === null ? products : tf.add(products, tf.gather(bias, columns));
}

/** [K] */
function logitsAt(logits: tf.Tensor2D, { rows, tokens }: Places): tf.Tensor {
  const at = rows.map((row, i) => row * logits.shape[1] + tokens[i]);
  return tf.gather(tf.reshape(logits, [-1]), tf.tensor1d(at, 'int32'));
}
