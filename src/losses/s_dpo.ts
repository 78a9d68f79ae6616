import * as tf from '@tensorflow/tfjs-core';
import { calledAs } from '../errors';
import { rewardMargins, softplus } from './reward_margins';

export interface SDpoLossOptions {
  /** beta, how hard the policy is held to the reference, above 0. Default 1. */
  beta?: number;
}

/**
 * Computes the loss of softmax-DPO, which compares the chosen response with several rejected ones at once (Chen et al.,
 * arXiv 2406.09215).
 *
 * ```
 * d(y) = log pi(y|x) - log ref(y|x),   L = mean [ -log sigma( -log sum_j exp( beta (d(y_j-) - d(y+)) ) ) ]
 * ```
 * With one rejected response it is DPO.
 *
 * @param policy log pi of each response, summed over its tokens, [Q, G], the chosen one first.
 * @param reference log ref of the same responses, [Q, G].
 * @param options see `SDpoLossOptions`.
 * @returns scalar, mean over groups; log G where the policy is the reference. Gradient flows to `policy`.
 * @throws IlrecError when shapes do not fit together, or beta is not above 0.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { sDpoLoss } from 'tfjs-ilrec';
 *
 * const policy = tf.tensor2d([[-1, -3, -3]]); // the chosen response is 2 nats above both rejected ones
 * const reference = tf.tensor2d([[-2, -2, -2]]);
 * console.log(sDpoLoss(policy, reference).dataSync()[0].toFixed(4)); // 0.2395
 * ```
 */
export function sDpoLoss(policy: tf.Tensor2D, reference: tf.Tensor2D, { beta = 1 }: SDpoLossOptions = {}): tf.Scalar {
  return calledAs('sDpoLoss', () =>
    tf.tidy(() => {
      const margins = rewardMargins(policy, reference, beta); // [Q, G - 1]
      return tf.mean<tf.Scalar>(softplus(tf.logSumExp(tf.neg(margins), 1)));
    }),
  );
}
