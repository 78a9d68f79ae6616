import * as tf from '@tensorflow/tfjs-core';
import { calledAs, UnnamedError } from '../errors';
import { stopGradient } from '../ops/stop_gradient';

/** The tokens of R responses, padded to T. */
export interface GrpoTokens {
  /** log pi of each token, [R, T]. */
  readonly policy: tf.Tensor2D;
  /** log ref of each token, [R, T]. */
  readonly reference: tf.Tensor2D;
  /** 1 at tokens, 0 at padding, [R, T]. Default: no padding. */
  readonly mask?: tf.Tensor2D;
}

export interface GrpoLossOptions {
  /** beta, weight of the KL term, 0 or more. Default 0.001. */
  klWeight?: number;
}

/**
 * Computes the loss of group relative policy optimisation, for responses that the policy itself has just given (Shao et
 * al., arXiv 2402.03300).
 *
 * ```
 * L = mean_i (1 / |y_i|) sum_t [ -exp( lp - stopgrad lp ) A_i + beta ( exp(ref - lp) - (ref - lp) - 1 ) ]
 * ```
 * The ratio of new to old policy is 1, so there is nothing to clip; its gradient is that of lp. The last term is an
 * estimate of KL(pi || ref) that is never negative.
 *
 * @param tokens see `GrpoTokens`.
 * @param advantages A of each response, [R], for example `groupAdvantages(rewards)` as one row.
 * @param options see `GrpoLossOptions`.
 * @returns scalar, mean over responses. Gradient flows to `tokens.policy`.
 * @throws IlrecError when shapes do not fit together, or klWeight is negative.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { grpoLoss } from 'tfjs-ilrec';
 *
 * const policy = tf.tensor2d([[-1], [-2]]); // two responses of one token
 * const reference = tf.tensor2d([[-2], [-2]]);
 * const loss = grpoLoss({ policy, reference }, tf.tensor1d([1, -1]), { klWeight: 0.1 });
 * console.log(loss.dataSync()[0].toFixed(4)); // 0.0184
 * ```
 */
export function grpoLoss(
  { policy, reference, mask }: GrpoTokens,
  advantages: tf.Tensor1D,
  { klWeight = 1e-3 }: GrpoLossOptions = {},
): tf.Scalar {
  return calledAs('grpoLoss', () => {
    for (const [name, { shape }] of Object.entries({ reference, ...(mask && { mask }) }))
      if (shape.join() !== policy.shape.join())
        throw new UnnamedError(`${name} must be [${policy.shape.join(', ')}] as policy is, got [${shape.join(', ')}]`);
    if (advantages.shape.join() !== String(policy.shape[0]))
      throw new UnnamedError(
        `advantages must be [${policy.shape[0]}], one for each response, got [${advantages.shape.join(', ')}]`,
      );
    if (!(klWeight >= 0)) throw new UnnamedError(`klWeight must be 0 or more, got ${klWeight}`);
    return tf.tidy(() => {
      const counts = mask ?? tf.onesLike(policy); // [R, T]
      const ratio = tf.exp(tf.sub(policy, stopGradient(policy))); // 1, with a gradient [R, T]
      const gain = tf.mul(ratio, tf.expandDims(stopGradient(advantages), 1)); // [R, T]
      const difference = tf.sub(stopGradient(reference), policy); // ref - lp [R, T]
      const kl = tf.sub(tf.sub(tf.exp(difference), difference), 1); // [R, T]
      const perToken = tf.sub(tf.mul(kl, klWeight), gain); // [R, T]
      const perResponse = tf.div(tf.sum(tf.mul(perToken, counts), 1), tf.maximum(tf.sum(counts, 1), 1)); // [R]
      return tf.mean<tf.Scalar>(perResponse);
    });
  });
}
