import * as tf from '@tensorflow/tfjs-core';
import type { Penalty } from '../cross_layer_preference';
import type { DeviceCandidates } from './device_expectations';
import { MIN_REST } from './negatives';
import { TENSOR_STRENGTHS } from './penalise';

/** What decides on the negatives of the response rows, [P, 1] each: `RowThresholds` on the device. */
export interface DeviceThresholds {
  readonly final: tf.Tensor2D;
  readonly ensemble: tf.Tensor2D;
  readonly thresholds: tf.Tensor2D;
}

export interface DeviceNegatives {
  /** |N_t|, sum of p^L and of p~ over N_t, and lse' - lse: `PenalisedRow` in columns, [P, 4]; 0 in rows that are to be read again. */
  readonly rows: tf.Tensor2D;
  /** 1 for a row whose candidates do not hold what is needed, else 0, [P, 1]. */
  readonly unread: tf.Tensor2D;
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
  { ensemble, final, complete }: DeviceCandidates,
  at: DeviceThresholds,
  penaltyWeight: number,
  penalty: Penalty,
): DeviceNegatives {
  const members = indicator(tf.greaterEqual(ensemble, at.thresholds)); // [P, C]
  const shares = tf.mul(tf.exp(tf.sub(ensemble, at.ensemble)), members); // p~
  const plain = tf.mul(tf.sub(final, at.final), members); // log p
  const ensembleMass = sumOf(shares); // [P, 1]
  const mass = sumOf(tf.mul(tf.exp(plain), members));
  const rest = tf.sub(1, mass);
  const unread = tf.maximum(
    indicator(tf.lessEqual(at.thresholds, complete)),
    indicator(tf.less(rest, MIN_REST)),
  ) as tf.Tensor2D;
  const read = tf.sub(1, unread);

  const raises = tf.mul(shares, tf.div(penaltyWeight, tf.maximum(ensembleMass, 1e-30))); // alpha w
  const [strength, slope] = TENSOR_STRENGTHS[penalty](final);
  const raised = tf.add(plain, tf.mul(raises, strength)); // z' - lse
  const shift = tf.maximum(tf.max(raised, 1, true), 0);
  const raisedSum = sumOf(tf.mul(tf.exp(tf.sub(raised, shift)), members));
  const logTotal = tf.add(shift, tf.log(tf.add(tf.mul(tf.maximum(rest, MIN_REST), tf.exp(tf.neg(shift))), raisedSum)));
  const slopes = tf.mul(tf.exp(tf.sub(raised, logTotal)), tf.add(1, tf.mul(raises, slope)));
  const changes = tf.mul(tf.sub(slopes, tf.exp(tf.sub(plain, logTotal))), tf.mul(members, read)) as tf.Tensor2D;
  const rows = tf.mul(tf.concat([sumOf(members), mass, ensembleMass, logTotal], 1), read) as tf.Tensor2D;
  return { rows, unread, changes };
}

export function indicator(condition: tf.Tensor): tf.Tensor {
  return tf.mul(tf.cast(condition, 'float32'), 1); // some of the backend's kernels misread a cast that has not been computed with
}

export function sumOf(values: tf.Tensor): tf.Tensor2D {
  return tf.sum(values, 1, true);
}
