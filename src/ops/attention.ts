import * as tf from '@tensorflow/tfjs-core';
import { fusedAttention } from './fused_attention';

/** Added to the score of a key that may not be seen. It is finite, so that a row without any visible key has no NaN. */
export const MASKED_SCORE = -1e9;

/**
 * Additive causal mask [T, T]: 0 where the key is not after the query, else MASKED_SCORE.
 *
 * @param slidingWindow keys that a query sees, itself included; default all.
 */
export function causalMask(length: number, slidingWindow: number | null = null): tf.Tensor2D {
  const mask = new Float32Array(length * length);
  for (let query = 0; query < length; query++) {
    mask.fill(MASKED_SCORE, query * length + query + 1, (query + 1) * length);
    if (slidingWindow !== null)
      mask.fill(MASKED_SCORE, query * length, query * length + Math.max(0, query + 1 - slidingWindow));
  }
  return tf.tensor2d(mask, [length, length]);
}

/** Additive padding mask [B, 1, 1, T] from a mask that is true or 1 at tokens that may be seen. */
export function paddingMask(mask: tf.Tensor): tf.Tensor4D {
  const [batch, length] = mask.shape;
  return tf.tidy(() =>
    tf.reshape(tf.mul(tf.sub(1, tf.mul(tf.cast(mask, 'float32'), 1)), MASKED_SCORE), [batch, 1, 1, length]),
  );
}

/**
 * Scaled dot-product attention with grouped key-value heads.
 *
 * The G = H / K query heads of a group are laid side by side along the query axis, so keys and values are never
 * repeated.
 *
 * @param query [B, H, T, F].
 * @param key [B, K, S, F].
 * @param value [B, K, S, F].
 * @param mask additive, broadcastable to [B, 1, T, S]; it may get no gradient.
 * @param dropout applied to the probabilities [B, K, G * T, S]; null for none, and a backend need not store them.
 * @returns [B, H, T, F].
 */
export function attention(
  query: tf.Tensor4D,
  key: tf.Tensor4D,
  value: tf.Tensor4D,
  mask: tf.Tensor,
  dropout: ((probabilities: tf.Tensor) => tf.Tensor) | null = null,
): tf.Tensor4D {
  const fused = dropout === null ? fusedAttention(query, key, value, mask) : null;
  if (fused !== null) return fused;
  const [batch, heads, length, size] = query.shape;
  const [, groups, keys] = key.shape;
  const perGroup = heads / groups;
  return tf.tidy(() => {
    const grouped = tf.reshape(tf.mul(query, 1 / Math.sqrt(size)), [batch, groups, perGroup * length, size]); // [B, K, G*T, F]
    const scores = tf.reshape(tf.matMul(grouped, key, false, true), [batch, heads, length, keys]); // [B, H, T, S]
    const probabilities = tf.reshape(tf.softmax(tf.add(scores, mask)), [batch, groups, perGroup * length, keys]); // [B, K, G*T, S]
    const context = tf.matMul(dropout === null ? probabilities : dropout(probabilities), value); // [B, K, G*T, F]
    return tf.reshape(context, [batch, heads, length, size]) as tf.Tensor4D;
  });
}
