import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import { stopGradient } from '../ops/stop_gradient';
import { oneHotLabels } from './cross_entropy';
import { PENALTIES, type Penalty } from './penalty';

export interface CrossLayerPreferenceOptions {
  /** alpha, >= 0; 0 is plain cross-entropy. Default 0.1. */
  penaltyWeight?: number;
  /** s, how a negative's logit is raised: 'scale' |z|, 'paper' z, 'additive' 1. Default 'scale'. */
  penalty?: Penalty;
}

/**
 * Computes cross-entropy of the final layer with the logit of every self-hard negative raised (CPO, cross-layer
 * preference optimisation).
 *
 * ```
 * z'(v) = z(v) + alpha * w(v) * s(v),   L_CPO = mean_t [ logsumexp(z'_t) - z_t(y_t) ]
 * ```
 * ILRec, arXiv 2602.17410. In the released trainer the branches of the penalty are swapped, so the negatives' logits
 * stay as they are.
 *
 * @param logits z^L [P, V].
 * @param labels y, int32 [P].
 * @param weights w [P, V] of `selfHardNegatives`: 0 off N_t and at the label.
 * @param options see `CrossLayerPreferenceOptions`.
 * @returns scalar, mean over P. Gradient flows to `logits`, also through s; none to `weights`.
 * @throws IlrecError when penaltyWeight is below 0.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { crossLayerPreference } from 'tfjs-ilrec';
 *
 * const logits = tf.tensor2d([[1, 2, -1]]);
 * const weights = tf.tensor2d([[0, 1, 0]]); // token 1 is the only negative
 * const loss = crossLayerPreference(logits, tf.tensor1d([0], 'int32'), weights, { penaltyWeight: 0.5 });
 * console.log(loss.dataSync()[0].toFixed(4)); // 2.1429
 * ```
 */
export function crossLayerPreference(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor2D,
  { penaltyWeight = 0.1, penalty = 'scale' }: CrossLayerPreferenceOptions = {},
): tf.Scalar {
  if (!(penaltyWeight >= 0))
    throw new IlrecError(`crossLayerPreference: penaltyWeight must be at least 0, got ${penaltyWeight}`);
  return tf.tidy(() => {
    const target = oneHotLabels(labels, logits.shape[1]); // [P, V]
    if (penaltyWeight === 0) return tf.mean(softCrossEntropy(logits, target));
    const strength = PENALTIES[penalty].strength(logits); // s [P, V], or 1
    const raise = tf.mul(stopGradient(weights), penaltyWeight); // alpha w [P, V]
    const raised = tf.add(logits, tf.mul(raise, strength)) as tf.Tensor2D; // z' [P, V]
    return tf.mean(softCrossEntropy(raised, target));
  });
}
