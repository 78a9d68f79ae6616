import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { withoutTape } from '../ops/without_tape';
import { oneHotLabels } from './cross_entropy';

/** Options of `adaptiveTemperature`; the defaults are the released trainer's. */
export interface AdaptiveTemperatureOptions {
  /** tau before the first batch, above 0. Default 1.5. */
  initial?: number;
  /** eta, the probability of the label that the temperature aims at, in (0, 1]. Default 0.25. */
  labelProbability?: number;
  /** beta, share of a batch in the moving average, in (0, 1]. Default 0.05. */
  rate?: number;
  /** Lowest temperature that a batch can ask for, above 0. Default 1.5. */
  min?: number;
  /** Highest temperature that a batch can ask for, at least `min`. Default 5. */
  max?: number;
}

/** What the temperature is made from. */
export interface AdaptiveTemperatureInputs {
  /** z [P, V], the response rows alone. */
  readonly logits: tf.Tensor2D;
  /** y, int32 [P]. */
  readonly labels: tf.Tensor1D;
  /** A, 1 at allowed tokens and 0 elsewhere, [P, V]. */
  readonly allowed: tf.Tensor2D;
  /** n, tokens that can begin an item: children of the trie's root. Positions with as many allowed tokens count. */
  readonly numFirstTokens: number;
  /** tau of the batch before. */
  readonly previous: tf.Scalar;
}

/**
 * Computes MSL's temperature of a batch (ATS, adaptive temperature strategy), from the logits at the first tokens of the
 * items.
 *
 * ```
 * d    = mean z(y) - mean z(v),   s^2 = variance of z(v)      over those positions and v in A
 * C    = log(eta n)
 * tau* = (d + sqrt(max(0, d^2 - 2 C s^2))) / (2 C)
 * tau  = (1 - beta) tau_previous + beta min(max(tau*, tau_min), tau_max)
 * ```
 * tau* solves e^(d/tau - s^2/(2 tau^2)) = eta n: with it, the label would have the probability eta if the logits of the
 * allowed tokens were normal. Wang et al., arXiv 2504.04178, as in the released trainer, which multiplies the loss with
 * tau, so that a higher temperature does not make the gradients smaller.
 *
 * @param inputs see `AdaptiveTemperatureInputs`.
 * @param options see `AdaptiveTemperatureOptions`.
 * @returns tau, a scalar; that of the batch before where no item begins in the batch. No gradient flows through it.
 * @throws IlrecError when an option is out of range, or eta n is not above 1: then no temperature is low enough.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { adaptiveTemperature } from 'tfjs-ilrec';
 *
 * const logits = tf.tensor2d([[6, 0, 0, 0, 0, 0, 0, 0]]);
 * const labels = tf.tensor1d([0], 'int32');
 * const allowed = tf.onesLike(logits);
 * const inputs = { logits, labels, allowed, numFirstTokens: 8, previous: tf.scalar(1.5) };
 * const tau = adaptiveTemperature(inputs, { rate: 1 }); // d = 5.25, s^2 = 4.5, C = log 2
 * console.log(tau.dataSync()[0].toFixed(3)); // 5.000
 * ```
 */
export function adaptiveTemperature(
  { logits, labels, allowed, numFirstTokens, previous }: AdaptiveTemperatureInputs,
  options: AdaptiveTemperatureOptions = {},
): tf.Scalar {
  const { labelProbability, rate, min, max } = checkedAdaptiveTemperature(options, numFirstTokens);
  return withoutTape(() => {
    const vocabSize = logits.shape[1];
    const isFirst = tf.cast(tf.equal(tf.sum(allowed, 1, true), numFirstTokens), 'float32'); // [P, 1]
    const counted = tf.mul(allowed, isFirst); // [P, V]
    const numRows = tf.sum(isFirst);
    const size = tf.maximum(tf.sum(counted), 2);
    const ofLabels = tf.sum(tf.mul(logits, tf.mul(oneHotLabels(labels, vocabSize), isFirst)));
    const mean = tf.div(tf.sum(tf.mul(logits, counted)), size);
    const difference = tf.sub(tf.div(ofLabels, tf.maximum(numRows, 1)), mean); // d
    const variance = tf.div(tf.sum(tf.mul(tf.square(tf.sub(logits, mean)), counted)), tf.sub(size, 1)); // s^2
    const logTarget = Math.log(labelProbability * numFirstTokens); // C
    const discriminant = tf.relu(tf.sub(tf.square(difference), tf.mul(variance, 2 * logTarget)));
    const solution = tf.div(tf.add(difference, tf.sqrt(discriminant)), 2 * logTarget); // tau*
    const moved = tf.add(tf.mul(previous, 1 - rate), tf.mul(tf.clipByValue(solution, min, max), rate));
    return tf.where(tf.greater(numRows, 0), moved, previous) as tf.Scalar;
  });
}

/** @throws IlrecError when an option is out of range. */
export function checkedAdaptiveTemperature(
  options: AdaptiveTemperatureOptions,
  numFirstTokens: number,
): Required<AdaptiveTemperatureOptions> {
  const { initial = 1.5, labelProbability = 0.25, rate = 0.05, min = 1.5, max = 5 } = options;
  const refuse = (option: string, rule: string, value: number): never => {
    throw new IlrecError(`adaptiveTemperature: ${option} must be ${rule}, got ${value}`);
  };
  const isFinite = (value: number): boolean => Number.isFinite(value);
  if (!(initial > 0 && isFinite(initial))) refuse('initial', 'above 0', initial);
  if (!(labelProbability > 0 && labelProbability <= 1)) refuse('labelProbability', 'in (0, 1]', labelProbability);
  if (!(rate > 0 && rate <= 1)) refuse('rate', 'in (0, 1]', rate);
  if (!(min > 0 && isFinite(min))) refuse('min', 'above 0', min);
  if (!(max >= min && isFinite(max))) refuse('max', `at least min, ${min}`, max);
  if (!(labelProbability * numFirstTokens > 1))
    throw new IlrecError(
      `adaptiveTemperature: more than ${1 / labelProbability} tokens must be able to begin an item, 1 / ` +
        `labelProbability, got ${numFirstTokens}; give the temperature as a number`,
    );
  return { initial, labelProbability, rate, min, max };
}
