import * as tf from '@tensorflow/tfjs-core';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import { oneHotLabels } from './cross_entropy';

/**
 * How a negative's logit is raised: `scale` s = |z|, the paper's factor (1 + alpha w) made safe for negative logits; `paper` s = z, the
 * factor as printed, which lowers a negative logit; `additive` s = 1.
 */
export type Penalty = 'scale' | 'paper' | 'additive';

export interface CrossLayerPreferenceOptions {
  /** alpha, >= 0; 0 is plain cross-entropy. Default 0.1. */
  penaltyWeight?: number;
  /** s. Default 'scale'. */
  penalty?: Penalty;
}

/**
 * Cross-entropy of the final layer in which every self-hard negative's logit is raised (CPO; ILRec, arXiv 2602.17410).
 *
 * ```
 * z'(v) = z(v) + alpha * w(v) * s(v),   L_CPO = mean_t [ logsumexp(z'_t) - z_t(y_t) ]
 * ```
 * In the released trainer the branches of the penalty are swapped, so that the logits of negatives stay as they are.
 *
 * @param logits z^L [P, V].
 * @param labels int32 [P].
 * @param weights w [P, V] of `selfHardNegatives`: 0 off N_t and at the label.
 * @returns scalar, mean over P. Gradient flows to `logits`, also through s; not to `weights`.
 */
export function crossLayerPreference(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor2D,
  { penaltyWeight = 0.1, penalty = 'scale' }: CrossLayerPreferenceOptions = {},
): tf.Scalar {
  if (!(penaltyWeight >= 0))
    throw new Error(`crossLayerPreference: penaltyWeight must be at least 0, got ${penaltyWeight}`);
  return tf.tidy(() => {
    const target = oneHotLabels(labels, logits.shape[1]); // [P, V]
    if (penaltyWeight === 0) return tf.mean(softCrossEntropy(logits, target));
    const raise = tf.mul(weights, penaltyWeight); // [P, V]
    const penalties = {
      scale: () => tf.mul(raise, tf.abs(logits)),
      paper: () => tf.mul(raise, logits),
      additive: () => raise,
    }[penalty]();
    return tf.mean(softCrossEntropy(tf.add(logits, penalties), target));
  });
}
