import * as tf from '@tensorflow/tfjs-core';
import { calledAs, UnnamedError } from '../errors';
import { stopGradient } from '../ops/stop_gradient';
import { rewardMargins, softplus } from './reward_margins';

export interface RosePoLossOptions {
  /** beta, how hard the policy is held to the reference, above 0. Default 0.1. */
  beta?: number;
}

/**
 * Computes the loss of RosePO: DPO in which each pair may have been labelled the wrong way round (Liao et al., arXiv
 * 2410.12519).
 *
 * ```
 * D = beta (d(y+) - d(y-)),   d(y) = log pi(y|x) - log ref(y|x)
 * L = mean [ -(1 - e) log sigma(D) - e log sigma(-D) ]
 * ```
 * e is the probability that the rejected response is the better one; `preferenceDoubt` takes it from a model. The
 * authors published no code; this is the formula of the paper. With e = 0 it is DPO.
 *
 * @param policy log pi of each response, summed over its tokens, [Q, G], the chosen one first.
 * @param reference log ref of the same responses, [Q, G].
 * @param doubt e of each pair, each in [0, 1], [Q, G - 1]. No gradient flows to it.
 * @param options see `RosePoLossOptions`.
 * @returns scalar, mean over pairs; log 2 where the policy is the reference. Gradient flows to `policy`.
 * @throws IlrecError when shapes do not fit together, or beta is not above 0.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { rosePoLoss } from 'tfjs-ilrec';
 *
 * const policy = tf.tensor2d([[-1, -3]]); // the chosen response is 2 nats above the rejected one
 * const reference = tf.tensor2d([[-2, -2]]);
 * const loss = rosePoLoss(policy, reference, tf.tensor2d([[0.2]]), { beta: 0.5 });
 * console.log(loss.dataSync()[0].toFixed(4)); // 0.5133
 * ```
 */
export function rosePoLoss(
  policy: tf.Tensor2D,
  reference: tf.Tensor2D,
  doubt: tf.Tensor2D,
  { beta = 0.1 }: RosePoLossOptions = {},
): tf.Scalar {
  return calledAs('rosePoLoss', () =>
    tf.tidy(() => {
      const margins = rewardMargins(policy, reference, beta); // D [Q, G - 1]
      if (doubt.shape.join() !== margins.shape.join())
        throw new UnnamedError(
          `doubt must be [${margins.shape.join(', ')}], one for each pair, got [${doubt.shape.join(', ')}]`,
        );
      const e = stopGradient(doubt); // [Q, G - 1]
      // -log sigma(D) = softplus(-D), and softplus(D) = softplus(-D) + D
      return tf.mean<tf.Scalar>(tf.add(softplus(tf.neg(margins)), tf.mul(e, margins)));
    }),
  );
}

/**
 * How much a model doubts pairs of chosen and rejected items, the e of RosePO.
 *
 * ```
 * e = 2 m sigma( s(y-) - s(y+) ) cut at m
 * ```
 * It is the Bradley-Terry probability that the model prefers the rejected item, and never above m: where the model has
 * no preference, or prefers the rejected item, e is m. The paper leaves the form open.
 *
 * @param scores the model's log-scores of each item, [Q * G] row by row, the chosen one first.
 * @param groupSize G.
 * @param maxDoubt m, in [0, 0.5]: at 0.5, a pair that the model finds wrong only keeps the policy near the reference.
 * @returns [Q * (G - 1)]
 */
export function preferenceDoubt(scores: ArrayLike<number>, groupSize: number, maxDoubt: number): Float32Array {
  const numRejected = groupSize - 1;
  const numGroups = scores.length / groupSize;
  return Float32Array.from({ length: numGroups * numRejected }, (_, pair) => {
    const group = Math.floor(pair / numRejected);
    const [chosen, rejected] = [scores[group * groupSize], scores[group * groupSize + 1 + (pair % numRejected)]];
    return Math.min(maxDoubt, (2 * maxDoubt) / (1 + Math.exp(chosen - rejected)));
  });
}
