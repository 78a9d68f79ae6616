import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import { checkBeta, rewardMargins } from '../losses/reward_margins';
import { stopGradient } from '../ops/stop_gradient';
import type { TapOptions } from '../taps';
import type { PreferencePairs, ResponseGroups } from './preference_pairs';
import { createTappedMethod, refuseUnknown, type TappedMethod } from './tapped_method';

/** Options that the methods of preference learning share. */
export interface PreferenceOptions {
  /** What was chosen and rejected: `responsePairs` or `itemPairs` makes them. */
  pairs: PreferencePairs;
  /** beta, how hard the policy is held to the reference, above 0. */
  beta?: number;
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where the head is, for models in which it cannot be found. */
  taps?: TapOptions;
}

/** Terms of a batch: the loss, the share of pairs that it has in the right order, and the mean margin between them. */
export interface PreferenceTerms {
  readonly total: tf.Scalar;
  readonly rewardAccuracy: tf.Scalar;
  readonly rewardMargin: tf.Scalar;
  readonly [term: string]: tf.Tensor;
}

/** Names of the metrics of a preference method. */
export const PREFERENCE_METRICS = ['rewardAccuracy', 'rewardMargin'] as const;

/** What a preference loss and its metrics make of the groups of a batch. */
export function preferenceTerms(
  groups: ResponseGroups,
  beta: number,
  loss: (groups: ResponseGroups) => tf.Scalar,
): PreferenceTerms {
  const margins = rewardMargins(stopGradient(groups.policy), groups.reference, beta); // [Q, G - 1]
  return {
    total: loss(groups),
    rewardAccuracy: tf.mean(tf.cast(tf.greater(margins, 0), 'float32')),
    rewardMargin: tf.mean(margins),
  };
}

/**
 * Makes a training method of a preference loss.
 *
 * @throws UnnamedError on an option out of range, or one that does not exist.
 */
export function preferenceMethod(
  name: string,
  options: PreferenceOptions & { readonly beta: number },
  loss: (groups: ResponseGroups) => tf.Scalar,
): TappedMethod {
  refuseUnknown(options, ['pairs', 'beta', 'ignoreIndex', 'taps'] satisfies (keyof PreferenceOptions)[]);
  const { pairs, beta, ignoreIndex, taps } = options;
  checkPairs(pairs);
  checkBeta(beta);
  return createTappedMethod({
    name,
    ignoreIndex,
    taps,
    metrics: PREFERENCE_METRICS,
    inputIdsReader: 'finding the pairs of a batch',
    loss: (batch) => preferenceTerms(pairs.groupsOf(batch), beta, loss),
  }).method;
}

function checkPairs(pairs: unknown): void {
  if (typeof (pairs as PreferencePairs | undefined)?.groupsOf !== 'function')
    throw new UnnamedError(`pairs must be what responsePairs or itemPairs returned, got ${String(pairs)}`);
}
