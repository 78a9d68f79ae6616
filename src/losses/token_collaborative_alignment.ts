import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { stopGradient } from '../ops/stop_gradient';
import { oneHotLabels } from './cross_entropy';
import { checkTemperature, choices, meanOfChoices, restrictedLogits } from './masked_softmax';

/** Options of `tokenCollaborativeAlignment`. */
export interface TokenCollaborativeAlignmentOptions {
  /** a, share of the target that the collaborative model gets, in [0, 1]. Default 0.1. */
  collaborativeWeight?: number;
  /** tau, the logits are divided by it, above 0. Default 1. */
  temperature?: number;
  /** Tokens that the softmax is over, 1 or 0, [P, V], as in `maskedSoftmax`. Default all. */
  allowed?: tf.Tensor2D;
}

/** log 0, as far as float32 needs it. */
const LOG_ZERO = -1e9;

/**
 * Computes the loss of TCA4Rec: the label shares its place with the tokens that a collaborative model finds likely.
 *
 * ```
 * q_t = (1 - a) onehot(y_t) + a c_t
 * L   = mean_t [ log sum_v e^(z_t(v) / tau) - log sum_v q_t(v) e^(z_t(v) / tau) ]
 * ```
 * Lin et al., arXiv 2601.18457. The sum over q is inside the logarithm, so this is not the cross-entropy of q: it asks
 * for mass on the label and on c together, and leaves open how they share it. A row on which c has no mass has the label
 * alone as its target; the released trainer leaves it a share of 1 - a, which adds a constant.
 *
 * @param logits z [P, V], the response rows alone.
 * @param labels y, int32 [P], each in [0, V).
 * @param reward c [P, V], mass of each next token; each row sums to 1 or is 0. `trieReward` makes it.
 * @param options see `TokenCollaborativeAlignmentOptions`. With `allowed`, positions with one allowed token are left out
 *   of the mean.
 * @returns scalar. Gradient flows to `logits` only.
 * @throws IlrecError when the weight or the temperature is out of range.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { tokenCollaborativeAlignment } from 'tfjs-ilrec';
 *
 * const reward = tf.tensor2d([[0.5, 0.5, 0]]); // with a = 0.5: q = (3/4, 1/4, 0)
 * const options = { collaborativeWeight: 0.5 };
 * const loss = tokenCollaborativeAlignment(tf.tensor2d([[0, 0, 0]]), tf.tensor1d([0], 'int32'), reward, options);
 * console.log(loss.dataSync()[0].toFixed(4)); // 1.0986
 * ```
 */
export function tokenCollaborativeAlignment(
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  reward: tf.Tensor2D,
  { collaborativeWeight = 0.1, temperature = 1, allowed }: TokenCollaborativeAlignmentOptions = {},
): tf.Scalar {
  if (!(collaborativeWeight >= 0 && collaborativeWeight <= 1))
    throw new IlrecError(
      `tokenCollaborativeAlignment: collaborativeWeight must be from 0 to 1, got ${collaborativeWeight}`,
    );
  checkTemperature('tokenCollaborativeAlignment', temperature);
  return tf.tidy(() => {
    const counted = allowed ?? (tf.onesLike(logits) as tf.Tensor2D); // [P, V]
    const masses = stopGradient(reward); // c [P, V]
    const hasMass = tf.cast(tf.greater(tf.sum(masses, 1, true), 0), 'float32'); // [P, 1]
    const ofLabel = tf.sub(1, tf.mul(hasMass, collaborativeWeight)); // [P, 1]
    const shares = tf.add(tf.mul(oneHotLabels(labels, logits.shape[1]), ofLabel), tf.mul(masses, collaborativeWeight)); // q [P, V]
    const logShares = tf.where(
      tf.greater(shares, 0),
      tf.log(tf.maximum(shares, 1e-30)),
      tf.fill(shares.shape, LOG_ZERO),
    ); // [P, V]
    const z = restrictedLogits(logits, counted, temperature); // [P, V]
    const rows = tf.sub(tf.logSumExp(z, 1), tf.logSumExp(tf.add(z, logShares), 1)) as tf.Tensor1D; // [P]
    const hasChoice = allowed === undefined ? (tf.onesLike(hasMass) as tf.Tensor2D) : choices(allowed); // [P, 1]
    return meanOfChoices(tf.mul(rows, tf.squeeze(hasChoice, [1])), hasChoice);
  });
}
