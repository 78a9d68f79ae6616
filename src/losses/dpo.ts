import * as tf from '@tensorflow/tfjs-core';
import { calledAs } from '../errors';
import { rewardMargins, softplus } from './reward_margins';

export interface DpoLossOptions {
  /** beta, how hard the policy is held to the reference, above 0. Default 0.1. */
  beta?: number;
}

/**
 * Computes the loss of direct preference optimisation (Rafailov et al., arXiv 2305.18290).
 *
 * ```
 * d(y) = log pi(y|x) - log ref(y|x),   L = mean [ -log sigma( beta (d(y+) - d(y-)) ) ]
 * ```
 * Where a group has several rejected responses, each makes a pair with the chosen one, and all pairs count the same.
 *
 * @param policy log pi of each response, summed over its tokens, [Q, G], the chosen one first.
 * @param reference log ref of the same responses, [Q, G].
 * @param options see `DpoLossOptions`.
 * @returns scalar, mean over pairs; log 2 where the policy is the reference. Gradient flows to `policy`.
 * @throws IlrecError when shapes do not fit together, or beta is not above 0.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { dpoLoss } from 'tfjs-ilrec';
 *
 * const policy = tf.tensor2d([[-1, -3]]); // the chosen response is 2 nats above the rejected one
 * const reference = tf.tensor2d([[-2, -2]]);
 * console.log(dpoLoss(policy, reference, { beta: 0.5 }).dataSync()[0].toFixed(4)); // 0.3133
 * ```
 */
export function dpoLoss(policy: tf.Tensor2D, reference: tf.Tensor2D, { beta = 0.1 }: DpoLossOptions = {}): tf.Scalar {
  return calledAs('dpoLoss', () =>
    tf.tidy(() => {
      const margins = rewardMargins(policy, reference, beta); // [Q, G - 1]
      return tf.mean<tf.Scalar>(softplus(tf.neg(margins)));
    }),
  );
}
