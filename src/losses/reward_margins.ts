import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import { stopGradient } from '../ops/stop_gradient';

/**
 * How much more a policy has raised the chosen response of each group than the rejected ones.
 *
 * ```
 * d(y) = log pi(y|x) - log ref(y|x),   out_j = beta (d(y+) - d(y_j-))
 * ```
 * Only differences within a group count, so log-probabilities may lack a number that all responses of a group share,
 * such as the normaliser of one softmax over items.
 *
 * @param policy log pi of each response, [Q, G], the chosen one first.
 * @param reference log ref of the same responses, [Q, G].
 * @returns [Q, G - 1]. Gradient flows to `policy` only.
 * @throws UnnamedError on shapes that do not fit together, or beta out of range.
 */
export function rewardMargins(policy: tf.Tensor2D, reference: tf.Tensor2D, beta: number): tf.Tensor2D {
  const [numGroups, groupSize] = policy.shape;
  if (policy.rank !== 2 || groupSize < 2)
    throw new UnnamedError(
      `policy must be [Q, G] with a chosen and at least one rejected response, got [${policy.shape.join(', ')}]`,
    );
  if (reference.shape.join() !== policy.shape.join())
    throw new UnnamedError(
      `reference must be [${policy.shape.join(', ')}] as policy is, got [${reference.shape.join(', ')}]`,
    );
  checkBeta(beta);
  const logRatios = tf.sub(policy, stopGradient(reference)); // d [Q, G]
  const chosen = tf.slice(logRatios, [0, 0], [numGroups, 1]); // [Q, 1]
  const rejected = tf.slice(logRatios, [0, 1], [numGroups, groupSize - 1]); // [Q, G - 1]
  return tf.mul(tf.sub(chosen, rejected), beta);
}

/** @throws UnnamedError when beta is not above 0. */
export function checkBeta(beta: number): void {
  if (!(beta > 0 && Number.isFinite(beta))) throw new UnnamedError(`beta must be above 0, got ${beta}; 0.1 is usual`);
}

/** log(1 + e^x) without overflow, -log sigma(-x); gradient sigma(x), also at 0, where every training starts. */
export function softplus<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((input, save) => {
    const given = input as tf.Tensor;
    (save as tf.GradSaveFunc)([given]);
    const value = tf.add(tf.relu(given), tf.log(tf.add(tf.exp(tf.neg(tf.abs(given))), 1)));
    return { value, gradFunc: (dy, [saved]) => tf.mul(dy as tf.Tensor, tf.sigmoid(saved)) };
  })(x) as T;
}
