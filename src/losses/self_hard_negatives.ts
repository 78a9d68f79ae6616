import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { stopGradient } from '../ops/stop_gradient';
import { oneHotLabels } from './cross_entropy';

/** Whose probability of the label sets the threshold: the final layer's or the ensemble's. */
export type ThresholdReference = 'final' | 'ensemble';

export interface SelfHardNegativesOptions {
  /** phi, scale of the threshold, > 0; smaller means more negatives. Default 1. */
  thresholdScale?: number;
  /** p_ref, whose probability of the label sets the threshold. Default 'final'. */
  thresholdReference?: ThresholdReference;
  /** M, how many negatives of a position count at most, the likeliest; more only where they tie. Default all. */
  maxCount?: number | null;
  /** gamma, >= 0: w grows with p~ to this power; 0 weighs all negatives the same, above 1 sharpens. Default 1. */
  exponent?: number;
  /** Tokens that are never negatives, 1 or 0, [P, V]. Default none. */
  spared?: tf.Tensor2D | null;
}

export interface SelfHardNegatives {
  /** Membership of N_t, 1 or 0, [P, V]. */
  readonly mask: tf.Tensor2D;
  /** w, the ensemble's probabilities over N_t, renormalised, 0 elsewhere, [P, V]; all zero without negatives. */
  readonly weights: tf.Tensor2D;
}

/**
 * Finds the tokens that the intermediate layers give at least the probability of the label: the self-hard negatives N_t
 * and their weights.
 *
 * ```
 * p~ = softmax(z~),   tau_t = phi * p_ref(y_t),   N_t = { v != y_t : p~_t(v) >= tau_t }
 * w_t(v) = p~_t(v) / sum over N_t of p~_t
 * ```
 * With `maxCount`, N_t keeps the M likeliest; with `exponent`, w is made of p~^gamma. ILRec, arXiv 2602.17410. The released trainer sums the layers' logits, counts the final layer among them and compares
 * that sum with one layer's logit.
 *
 * @param ensembleLogits z~ [P, V], mean of the intermediate layers' early-exit logits.
 * @param finalLogits z^L [P, V].
 * @param labels y, int32 [P].
 * @param options see `SelfHardNegativesOptions`.
 * @returns mask and weights [P, V]. No gradient flows through negatives, threshold or weights.
 * @throws IlrecError when thresholdScale is not above 0, maxCount is not a positive integer, or exponent is below 0.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { selfHardNegatives } from 'tfjs-ilrec';
 *
 * const ensemble = tf.log(tf.tensor2d([[0.2, 0.5, 0.1, 0.2]])) as tf.Tensor2D; // p~
 * const final = tf.log(tf.tensor2d([[0.4, 0.2, 0.2, 0.2]])) as tf.Tensor2D; // p^L: 0.4 for the label 0
 * const { mask } = selfHardNegatives(ensemble, final, tf.tensor1d([0], 'int32'));
 * console.log(mask.arraySync()); // [ [ 0, 1, 0, 0 ] ]
 * ```
 */
export function selfHardNegatives(
  ensembleLogits: tf.Tensor2D,
  finalLogits: tf.Tensor2D,
  labels: tf.Tensor1D,
  options: SelfHardNegativesOptions = {},
): SelfHardNegatives {
  const { thresholdScale = 1, thresholdReference = 'final', maxCount = null, exponent = 1, spared = null } = options;
  if (!(thresholdScale > 0))
    throw new IlrecError(`selfHardNegatives: thresholdScale must be above 0, got ${thresholdScale}`);
  if (maxCount !== null && !(Number.isInteger(maxCount) && maxCount >= 1))
    throw new IlrecError(`selfHardNegatives: maxCount must be a positive integer or null, got ${maxCount}`);
  if (!(exponent >= 0 && Number.isFinite(exponent)))
    throw new IlrecError(`selfHardNegatives: exponent must be at least 0, got ${exponent}`);
  return tf.tidy(() => {
    const target = oneHotLabels(labels, ensembleLogits.shape[1]); // [P, V]
    const ensembleProbs = tf.softmax(stopGradient(ensembleLogits)); // p~ [P, V]
    const finalProbs = thresholdReference === 'final' ? tf.softmax(stopGradient(finalLogits)) : null; // p^L [P, V]
    const referenceProbs = finalProbs ?? ensembleProbs; // p_ref [P, V]
    const threshold = tf.mul(tf.sum(tf.mul(referenceProbs, target), 1, true), thresholdScale); // tau [P, 1]
    const reached = tf.cast(tf.greaterEqual(ensembleProbs, threshold), 'float32'); // [P, V]
    const free = spared === null ? reached : tf.mul(reached, tf.sub(1, spared));
    const above = tf.mul(free, tf.sub(1, target)) as tf.Tensor2D; // N_t [P, V]
    const mask = maxCount === null ? above : likeliest(ensembleProbs, above, maxCount);
    const powers = exponent === 1 ? ensembleProbs : tf.pow(relativeTo(ensembleProbs, mask), exponent); // [P, V]
    const candidates = tf.mul(powers, mask); // [P, V]
    const total = tf.sum(candidates, 1, true); // [P, 1]
    const weights = tf.div(candidates, tf.where(tf.greater(total, 0), total, tf.onesLike(total))) as tf.Tensor2D; // w
    return { mask, weights };
  });
}

/** The tokens of a mask that have at least the probability of its M-th likeliest, [P, V]. */
function likeliest(probs: tf.Tensor2D, mask: tf.Tensor2D, maxCount: number): tf.Tensor2D {
  const count = Math.min(maxCount, mask.shape[1]);
  const inside = tf.sub(tf.mul(probs, mask), tf.sub(1, mask)); // -1 outside
  const { values } = tf.topk(inside, count, true); // [P, M]
  const least = tf.slice(values, [0, count - 1], [-1, 1]); // [P, 1]
  return tf.mul(mask, tf.cast(tf.greaterEqual(inside, least), 'float32'));
}

/** Probabilities relative to the highest one under a mask, so that a power of them does not vanish, [P, V]. */
function relativeTo(probs: tf.Tensor2D, mask: tf.Tensor2D): tf.Tensor2D {
  const highest = tf.max(tf.mul(probs, mask), 1, true); // [P, 1]
  return tf.minimum(tf.div(probs, tf.where(tf.greater(highest, 0), highest, tf.onesLike(highest))), 1);
}
