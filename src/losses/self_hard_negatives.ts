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
}

export interface SelfHardNegatives {
  /** Membership of N_t, 1 or 0, [P, V]. */
  readonly mask: tf.Tensor2D;
  /** w, softmax of the ensemble's logits over N_t, 0 elsewhere, [P, V]; a row without negatives is all zero. */
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
 * ILRec, arXiv 2602.17410. The released trainer sums the layers' logits, counts the final layer among them and compares
 * that sum with one layer's logit.
 *
 * @param ensembleLogits z~ [P, V], mean of the intermediate layers' early-exit logits.
 * @param finalLogits z^L [P, V].
 * @param labels y, int32 [P].
 * @param options see `SelfHardNegativesOptions`.
 * @returns mask and weights [P, V]. No gradient flows through negatives, threshold or weights.
 * @throws IlrecError when thresholdScale is not above 0.
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
  { thresholdScale = 1, thresholdReference = 'final' }: SelfHardNegativesOptions = {},
): SelfHardNegatives {
  if (!(thresholdScale > 0))
    throw new IlrecError(`selfHardNegatives: thresholdScale must be above 0, got ${thresholdScale}`);
  return tf.tidy(() => {
    const target = oneHotLabels(labels, ensembleLogits.shape[1]); // [P, V]
    const ensembleProbs = tf.softmax(stopGradient(ensembleLogits)); // p~ [P, V]
    const finalProbs = thresholdReference === 'final' ? tf.softmax(stopGradient(finalLogits)) : null; // p^L [P, V]
    const referenceProbs = finalProbs ?? ensembleProbs; // p_ref [P, V]
    const threshold = tf.mul(tf.sum(tf.mul(referenceProbs, target), 1, true), thresholdScale); // tau [P, 1]
    const reached = tf.cast(tf.greaterEqual(ensembleProbs, threshold), 'float32'); // [P, V]
    const mask = tf.mul(reached, tf.sub(1, target)) as tf.Tensor2D; // N_t [P, V]
    const candidates = tf.mul(ensembleProbs, mask); // [P, V]
    const total = tf.sum(candidates, 1, true); // [P, 1]
    const weights = tf.div(candidates, tf.where(tf.greater(total, 0), total, tf.onesLike(total))) as tf.Tensor2D; // w
    return { mask, weights };
  });
}
