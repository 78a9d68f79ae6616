import * as tf from '@tensorflow/tfjs-core';
import type { LayerReading } from './read_layers';
import type { Coefficients, Found, StreamedTerms, StreamingObjectiveInputs } from './types';

/** The values of the terms, means over the response rows. */
export function termsOf(
  { finalHidden, intermediateHidden }: StreamingObjectiveInputs,
  { distillationWeight, rewardWeight }: Coefficients,
  found: Found,
): StreamedTerms {
  const { reading, labelLogits, compared, negatives, reward } = found;
  const crossEntropies = Float64Array.from(labelLogits, (logit, row) => reading.finalLogSumExp[row] - logit);
  const klPerLayer =
    intermediateHidden === null || distillationWeight === 0
      ? []
      : divergences(compared, finalHidden, intermediateHidden);
  const cpo = mean(crossEntropies.map((value, row) => value + negatives[row].logTotal));
  const cpd = mean(klPerLayer);
  const crr = reward === null ? 0 : mean(reward.losses);
  return {
    total: cpo + distillationWeight * cpd + rewardWeight * crr,
    crossEntropy: mean(crossEntropies),
    cpo,
    cpd,
    crr,
    numNegatives: mean(negatives.map(({ numNegatives }) => numNegatives)),
    penaltyMass: mean(negatives.map(({ mass }) => mass)),
    klPerLayer,
  };
}

/** KL of each layer, mean over P; as z is linear in h, sum_v p^L (z^L - z^l) = E_L (h^L - h^l). */
function divergences(
  { finalLogSumExp, studentLogSumExp, expectations }: LayerReading,
  finalHidden: tf.Tensor2D,
  intermediateHidden: tf.Tensor2D,
): number[] {
  const numRows = finalHidden.shape[0];
  const layers = intermediateHidden.shape[0] / numRows;
  const products = productsWithMeans(
    expectations as tf.Tensor2D,
    finalHidden,
    intermediateHidden,
  ).dataSync<'float32'>();
  return Array.from({ length: layers }, (_, layer) =>
    mean(
      Float64Array.from(
        { length: numRows },
        (__, row) => products[layer * numRows + row] - finalLogSumExp[row] + studentLogSumExp[layer * numRows + row],
      ),
    ),
  );
}

/** E_L (h^L - h^l), [S, P]. @param expectations E_L first, [P or more, D]. */
export function productsWithMeans(
  expectations: tf.Tensor2D,
  finalHidden: tf.Tensor2D,
  intermediateHidden: tf.Tensor2D,
): tf.Tensor2D {
  const [numRows, size] = finalHidden.shape;
  const means = tf.slice(expectations, [0, 0], [numRows, size]); // E_L [P, D]
  const differences = tf.sub(finalHidden, tf.reshape(intermediateHidden, [-1, numRows, size])); // [S, P, D]
  return tf.sum(tf.mul(differences, means), 2);
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return values.length === 0 ? 0 : sum / values.length;
}
