import * as tf from '@tensorflow/tfjs-core';

/** Keeps the advantages of a group finite in which all rewards are equal; as in TRL. */
const EPSILON = 1e-4;

/**
 * Compares the rewards of each group's responses with one another, the advantages of GRPO (Shao et al., arXiv
 * 2402.03300).
 *
 * ```
 * A_i = (R_i - mean R) / (std R + 1e-4)       std with G - 1 in the denominator
 * ```
 *
 * @param rewards [Q, G], G at least 2.
 * @returns [Q, G]; 0 in a group whose rewards are all equal. No gradient flows through it.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { groupAdvantages } from 'tfjs-ilrec';
 *
 * const advantages = groupAdvantages(tf.tensor2d([[1, 0, 0, 0]]));
 * console.log([...advantages.dataSync()].map((value) => value.toFixed(2))); // [ '1.50', '-0.50', '-0.50', '-0.50' ]
 * ```
 */
export function groupAdvantages(rewards: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const centred = tf.sub(rewards, tf.mean(rewards, 1, true)); // [Q, G]
    const variance = tf.div(tf.sum(tf.square(centred), 1, true), Math.max(1, rewards.shape[1] - 1)); // [Q, 1]
    return tf.div(centred, tf.add(tf.sqrt(variance), EPSILON));
  });
}

/**
 * Rewards the response that is the target: 1 for it, 0 for the others.
 *
 * ```
 * R_i = 1[ y_i = y* ]
 * ```
 *
 * @param items items of each group's responses, int32 [Q, G].
 * @param targets the target of each group, int32 [Q].
 * @returns [Q, G]
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { ruleReward } from 'tfjs-ilrec';
 *
 * const reward = ruleReward(tf.tensor2d([[7, 3, 5]], [1, 3], 'int32'), tf.tensor1d([3], 'int32'));
 * console.log(reward.arraySync()); // [ [ 0, 1, 0 ] ]
 * ```
 */
export function ruleReward(items: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor2D {
  return tf.tidy(() => tf.cast(tf.equal(items, tf.expandDims(targets, 1)), 'float32') as tf.Tensor2D);
}

/**
 * Punishes misses by their rank, those that the model is surest of most (MiniOneRec, arXiv 2510.24431). Added to
 * `ruleReward`, it tells the misses of a group apart.
 *
 * ```
 * R_i = -w_i / sum_j w_j,   w_i = 1 / log2(i + 2)       for misses of a group that holds the target, else 0
 * ```
 *
 * @param hits 1 where a response is the target, [Q, G]; the responses of a group best first, i from 0.
 * @returns [Q, G]
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { rankReward } from 'tfjs-ilrec';
 *
 * const reward = rankReward(tf.tensor2d([[0, 1], [0, 0]]));
 * console.log([...reward.dataSync()].map((value) => value.toFixed(2))); // [ '-0.61', '0.00', '0.00', '0.00' ]
 * ```
 */
export function rankReward(hits: tf.Tensor2D): tf.Tensor2D {
  const [, groupSize] = hits.shape;
  return tf.tidy(() => {
    const weights = Array.from({ length: groupSize }, (_, rank) => 1 / Math.log2(rank + 2));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const penalties = tf.tensor2d([weights.map((weight) => -weight / total)]); // [1, G]
    const misses = tf.sub(tf.max(hits, 1, true), hits); // 0 everywhere in a group without a hit [Q, G]
    return tf.mul(misses, penalties);
  });
}
