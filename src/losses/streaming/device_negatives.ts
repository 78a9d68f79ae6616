import * as tf from '@tensorflow/tfjs-core';
import type { DeviceCandidates } from '../../vocabulary/device_reading';
import { PENALTIES, type Penalty } from '../penalty';
import { MIN_REST } from './negatives';

/** `NegativeRule` on the device, without the labels: [P, 1] each. */
export interface DeviceNegativeRule {
  readonly finalLogSumExp: tf.Tensor2D;
  readonly ensembleLogSumExp: tf.Tensor2D;
  readonly thresholds: tf.Tensor2D;
}

export interface DeviceNegatives {
  /**
   * `RowNegatives` in columns, [P, 4]: |N_t|, sum of p^L and of p~ over N_t, lse' - lse; 0 in rows that are to be read
   * again.
   */
  readonly columns: tf.Tensor2D;
  /** 1 for a row whose candidates do not hold what is needed, else 0, [P, 1]. */
  readonly isUnread: tf.Tensor2D;
  /** p' (1 + alpha w ds) - p e^-logTotal of every negative, 0 of the other candidates, [P, C]. */
  readonly changes: tf.Tensor2D;
}

/**
 * `negativesFromCandidates` for all rows at once.
 *
 * ```
 * lse' = lse + log( 1 - sum_N p + sum_N e^(z' - lse) )
 * ```
 */
export function negativesOnDevice(
  { rankingLogits: ensembleLogits, logits, completeAbove }: DeviceCandidates,
  { finalLogSumExp, ensembleLogSumExp, thresholds }: DeviceNegativeRule,
  penaltyWeight: number,
  penalty: Penalty,
): DeviceNegatives {
  const members = indicator(tf.greaterEqual(ensembleLogits, thresholds)); // [P, C]
  const shares = tf.mul(tf.exp(tf.sub(ensembleLogits, ensembleLogSumExp)), members); // p~
  const logProbs = tf.mul(tf.sub(logits, finalLogSumExp), members); // log p^L
  const ensembleMass = sumOf(shares); // [P, 1]
  const mass = sumOf(tf.mul(tf.exp(logProbs), members));
  const rest = tf.sub(1, mass);
  const isUnread = tf.maximum(
    indicator(tf.lessEqual(thresholds, completeAbove)),
    indicator(tf.less(rest, MIN_REST)),
  ) as tf.Tensor2D;
  const isRead = tf.sub(1, isUnread);

  const { strength, slope } = PENALTIES[penalty];
  const raises = tf.mul(shares, tf.div(penaltyWeight, tf.maximum(ensembleMass, 1e-30))); // alpha w
  const raised = tf.add(logProbs, tf.mul(raises, strength(logits))); // z' - lse
  const shift = tf.maximum(tf.max(raised, 1, true), 0);
  const raisedSum = sumOf(tf.mul(tf.exp(tf.sub(raised, shift)), members));
  const logTotal = tf.add(shift, tf.log(tf.add(tf.mul(tf.maximum(rest, MIN_REST), tf.exp(tf.neg(shift))), raisedSum)));
  const slopes = tf.mul(tf.exp(tf.sub(raised, logTotal)), tf.add(1, tf.mul(raises, slope(logits)))); // p' dz'/dz
  const changes = tf.mul(tf.sub(slopes, tf.exp(tf.sub(logProbs, logTotal))), tf.mul(members, isRead)) as tf.Tensor2D;
  const columns = tf.mul(tf.concat([sumOf(members), mass, ensembleMass, logTotal], 1), isRead) as tf.Tensor2D;
  return { columns, isUnread, changes };
}

export function indicator(condition: tf.Tensor): tf.Tensor {
  return tf.mul(tf.cast(condition, 'float32'), 1); // without the product, some WebGPU kernels read zeros
}

export function sumOf(values: tf.Tensor): tf.Tensor2D {
  return tf.sum(values, 1, true);
}
