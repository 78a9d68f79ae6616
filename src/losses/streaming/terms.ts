import * as tf from '@tensorflow/tfjs-core';
import type { IlrecObjectiveOptions } from '../ilrec_objective';
import type { Expectations } from '../../vocabulary/expectations';
import type { Found, StreamedTerms, StreamingObjectiveInputs } from './types';

/** The values of the terms, means over the response rows. */
export function termsOf(
  { finalHidden, intermediateHidden }: StreamingObjectiveInputs,
  { distillationWeight, rewardWeight }: IlrecObjectiveOptions,
  found: Found,
): StreamedTerms {
  const { at, labelLogits, compared, rows, reward } = found;
  const crossEntropies = Float64Array.from(labelLogits, (logit, row) => at.final[row] - logit);
  const klPerLayer =
    intermediateHidden === null || distillationWeight === 0
      ? []
      : divergences(compared, finalHidden, intermediateHidden);
  const cpo = mean(crossEntropies.map((value, row) => value + rows[row].logTotal));
  const cpd = mean(klPerLayer);
  const crr = reward === null ? 0 : mean(reward.losses);
  return {
    total: cpo + distillationWeight * cpd + rewardWeight * crr,
    crossEntropy: mean(crossEntropies),
    cpo,
    cpd,
    crr,
    numNegatives: mean(rows.map(({ numNegatives }) => numNegatives)),
    penaltyMass: mean(rows.map(({ mass }) => mass)),
    klPerLayer,
  };
}

/** KL of each layer, mean over P; as z is linear in h, sum_v p^L (z^L - z^l) = E_L (h^L - h^l). */
function divergences(
  { final, students, rows }: Expectations,
  finalHidden: tf.Tensor2D,
  intermediateHidden: tf.Tensor2D,
): number[] {
  const numRows = finalHidden.shape[0];
  const layers = intermediateHidden.shape[0] / numRows;
  const products = productsWithMeans(rows as tf.Tensor2D, finalHidden, intermediateHidden).dataSync<'float32'>();
  return Array.from({ length: layers }, (_, layer) =>
    mean(
      Float64Array.from(
        { length: numRows },
        (__, row) => products[layer * numRows + row] - final[row] + students[layer * numRows + row],
      ),
    ),
  );
}

/** E_L (h^L - h^l), [S, P]. @param rows E_L first, [P or more, D]. */
export function productsWithMeans(
  rows: tf.Tensor2D,
  finalHidden: tf.Tensor2D,
  intermediateHidden: tf.Tensor2D,
): tf.Tensor2D {
  const [numRows, size] = finalHidden.shape;
  const means = tf.slice(rows, [0, 0], [numRows, size]); // E_L [P, D]
  const differences = tf.sub(finalHidden, tf.reshape(intermediateHidden, [-1, numRows, size])); // [S, P, D]
  return tf.sum(tf.mul(differences, means), 2);
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return values.length === 0 ? 0 : sum / values.length;
}
