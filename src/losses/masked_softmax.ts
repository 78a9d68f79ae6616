import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { softCrossEntropy } from '../ops/soft_cross_entropy';
import { oneHotLabels } from './cross_entropy';

/** Options of `maskedSoftmax`. */
export interface MaskedSoftmaxOptions {
  /** tau, the logits are divided by it; a number above 0 or a scalar tensor, which gets no gradient. Default 1. */
  temperature?: number | tf.Scalar;
}

/** Added to the logit of a token that is not allowed. */
const CLOSED = 1e9;

/**
 * Computes cross-entropy over the tokens with which an item can go on (MSL, masked softmax loss). Tokens that no item
 * has are not negatives, so the loss is spent on choosing between items.
 *
 * ```
 * L = mean_t [ log sum over v in A_t of e^(z_t(v) / tau) - z_t(y_t) / tau ]      over the t with |A_t| > 1
 * ```
 * A_t are the allowed tokens. Wang et al., arXiv 2504.04178, who take tau 4.5 for titles and a model of 3B. Positions
 * with one allowed token have nothing to learn and are left out of the mean, as in the released trainer with adaptive
 * temperature; the one with a fixed temperature counts them as 0.
 *
 * @param logits z [P, V], the response rows alone.
 * @param labels y, int32 [P], each in [0, V) and allowed.
 * @param allowed A, 1 at allowed tokens and 0 elsewhere, [P, V].
 * @param options see `MaskedSoftmaxOptions`.
 * @returns scalar; 0 where no position has a choice. Gradient flows to `logits`.
 * @throws IlrecError when the temperature is a number that is not above 0.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { maskedSoftmax } from 'tfjs-ilrec';
 *
 * const allowed = tf.tensor2d([[1, 1, 0]]); // token 2 does not count
 * const loss = maskedSoftmax(tf.tensor2d([[2, 0, 9]]), tf.tensor1d([0], 'int32'), allowed, { temperature: 2 });
 * console.log(loss.dataSync()[0].toFixed(4)); // 0.3133
 * ```
 */
export function maskedSoftmax(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  allowed: tf.Tensor2D,
  { temperature = 1 }: MaskedSoftmaxOptions = {},
): tf.Scalar {
  checkTemperature('maskedSoftmax', temperature);
  return tf.tidy(() => {
    const hasChoice = choices(allowed); // [P, 1]
    const target = tf.mul(oneHotLabels(labels, logits.shape[1]), hasChoice) as tf.Tensor2D; // [P, V]; no target, no loss
    return meanOfChoices(softCrossEntropy(restrictedLogits(logits, allowed, temperature), target), hasChoice);
  });
}

/** @throws IlrecError when the temperature is a number that is not above 0. */
export function checkTemperature(caller: string, temperature: number | tf.Scalar): void {
  if (temperature instanceof tf.Tensor || (temperature > 0 && Number.isFinite(temperature))) return;
  throw new IlrecError(`${caller}: temperature must be above 0, got ${String(temperature)}; 1 is the default`);
}

/** z / tau, and about minus infinity where a token is not allowed, [P, V]. */
export function restrictedLogits(
  logits: tf.Tensor2D,
  allowed: tf.Tensor2D,
  temperature: number | tf.Scalar,
): tf.Tensor2D {
  const closed = tf.mul(tf.sub(allowed, 1), CLOSED); // 0 or -1e9 [P, V]
  return tf.add(tf.div(logits, temperature), closed) as tf.Tensor2D;
}

/** 1 at positions with more than one allowed token, else 0, [P, 1]. */
export function choices(allowed: tf.Tensor2D): tf.Tensor2D {
  return tf.cast(tf.greater(tf.sum(allowed, 1, true), 1), 'float32') as tf.Tensor2D;
}

/** The mean of losses [P] over the positions with a choice; their other entries must be 0. */
export function meanOfChoices(losses: tf.Tensor1D, hasChoice: tf.Tensor2D): tf.Scalar {
  return tf.div(tf.sum(losses), tf.maximum(tf.sum(hasChoice), 1)) as tf.Scalar;
}
