import * as tf from '@tensorflow/tfjs-core';
import type { IlrecTerms } from '../ilrec_objective';
import type { DeviceFound } from './device_find';
import { productsWithMeans } from './terms';
import type { Coefficients, StreamingObjectiveInputs } from './types';

/** `termsOf` on the device: scalars instead of numbers. */
export function termsOnDevice(
  { finalHidden, intermediateHidden }: StreamingObjectiveInputs,
  { distillationWeight, rewardWeight }: Coefficients,
  found: DeviceFound,
): IlrecTerms {
  const { labelLogits, reading, compared, negatives, reward } = found;
  const [numNegatives, mass, , logTotals] = tf.split(negatives, 4, 1); // [P, 1] each
  const crossEntropies = tf.sub(reading.finalLogSumExp, labelLogits);
  const cpo = tf.mean<tf.Scalar>(tf.add(crossEntropies, logTotals));
  let klPerLayer: tf.Tensor1D = tf.tensor1d([]);
  if (intermediateHidden !== null && distillationWeight !== 0) {
    const products = productsWithMeans(compared.expectations as tf.Tensor2D, finalHidden, intermediateHidden); // [S, P]
    const studentLogSumExp = tf.reshape(compared.studentLogSumExp as tf.Tensor2D, products.shape);
    klPerLayer = tf.mean(tf.add(tf.sub(products, tf.reshape(compared.finalLogSumExp, [1, -1])), studentLogSumExp), 1);
  }
  const cpd = (klPerLayer.size === 0 ? tf.scalar(0) : tf.mean(klPerLayer)) as tf.Scalar;
  const crr = (reward === null ? tf.scalar(0) : tf.mean(reward.losses)) as tf.Scalar;
  return {
    total: tf.add(tf.add(cpo, tf.mul(cpd, distillationWeight)), tf.mul(crr, rewardWeight)),
    crossEntropy: tf.mean(crossEntropies),
    cpo,
    cpd,
    crr,
    numNegatives: tf.mean(numNegatives),
    penaltyMass: tf.mean(mass),
    klPerLayer,
  };
}
