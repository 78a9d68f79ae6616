import * as tf from '@tensorflow/tfjs-core';
import type { IlrecObjectiveOptions, IlrecTerms } from '../ilrec_objective';
import type { DeviceFound } from './device_find';
import { productsWithMeans } from './terms';
import type { StreamingObjectiveInputs } from './types';

/** `termsOf` on the device: scalars instead of numbers. */
export function termsOnDevice(
  { finalHidden, intermediateHidden }: StreamingObjectiveInputs,
  { distillationWeight, rewardWeight }: IlrecObjectiveOptions,
  found: DeviceFound,
): IlrecTerms {
  const { labelLogits, expectations, compared, rows, reward } = found;
  const [numNegatives, mass, , logTotals] = tf.split(rows, 4, 1); // [P, 1] each
  const crossEntropies = tf.sub(expectations.final, labelLogits);
  const cpo = tf.mean<tf.Scalar>(tf.add(crossEntropies, logTotals));
  let klPerLayer: tf.Tensor1D = tf.tensor1d([]);
  if (intermediateHidden !== null && distillationWeight !== 0) {
    const products = productsWithMeans(compared.rows as tf.Tensor2D, finalHidden, intermediateHidden); // [S, P]
    const students = tf.reshape(compared.students as tf.Tensor2D, products.shape);
    klPerLayer = tf.mean(tf.add(tf.sub(products, tf.reshape(compared.final, [1, -1])), students), 1);
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
