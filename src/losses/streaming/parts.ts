import * as tf from '@tensorflow/tfjs-core';
import { ofTokens, vocabSizeOf } from '../../ops/vocabulary_projection';
import type { IlrecObjectiveOptions } from '../ilrec_objective';
import type { StreamingObjectiveInputs } from '../streaming_objective';
import { CandidateBuffer } from './candidates';
import { type Expectations, streamExpectations } from './expectations';
import { gradientsOf, type Trained } from './gradients';
import { negativesFromCandidates, type RowThresholds, type SparseFactors } from './negatives';
import { type PenalisedRow, UNPENALISED } from './penalty';
import { penalisedPass } from './penalised_pass';
import { type RewardRows, rewardRows } from './reward_rows';
import { logitsOfEntries } from './sparse_rows';

/** Tokens of a row, and of all rows together, that are kept as candidates; rows with more negatives are read again. */
const [KEPT_OF_ROW, KEPT_IN_ALL] = [512, 2 ** 18];
/** How far, in nats, the threshold may fall from where the part of the vocabulary that has been seen puts it. */
const MARGIN = 1.5;

/** The objective and its parts, on the CPU. */
export interface StreamedTerms {
  readonly total: number;
  readonly crossEntropy: number;
  readonly cpo: number;
  readonly cpd: number;
  readonly crr: number;
  readonly numNegatives: number;
  readonly penaltyMass: number;
  readonly klPerLayer: number[];
}

export interface StreamedParts {
  readonly terms: StreamedTerms;
  /** Of the final hidden states, the intermediate ones, the head's weight and its bias, as far as they are there and trained. */
  readonly gradients: tf.Tensor[];
}

/** Everything that the passes over the vocabulary and the sums over rows have found. */
export interface Found {
  readonly at: RowThresholds;
  /** What z~ is the logit of, [P, D]; null without negatives. */
  readonly ensembleHidden: tf.Tensor2D | null;
  readonly expectations: Expectations;
  /** Of the slice of item tokens, where CPD compares on one; else those of the whole vocabulary. */
  readonly compared: Expectations;
  readonly rows: readonly PenalisedRow[];
  readonly changes: SparseFactors;
  /** Rows that were read again, and their sums [R, D]. */
  readonly again: { readonly places: readonly number[]; readonly sums: tf.Tensor2D | null };
  readonly reward: RewardRows | null;
}

/** The value of the objective on the response rows, and its gradients; call it in a tidy and off the tape. */
export function streamedParts(inputs: StreamingObjectiveInputs, options: IlrecObjectiveOptions, trains: Trained): StreamedParts {
  const { finalHidden, intermediateHidden, head, labels, reward } = inputs;
  const { penaltyWeight, penalty, thresholdScale, thresholdReference, distillationWeight, rewardWeight, itemTokens } = options;
  const numRows = finalHidden.shape[0];
  const distils = intermediateHidden !== null && distillationWeight !== 0;
  const ensembleHidden = intermediateHidden === null ? null : meanOfLayers(intermediateHidden, numRows); // [P, D]
  const students = distils && itemTokens === undefined ? intermediateHidden : null;

  const targets = labels.dataSync<'int32'>();
  const places = Int32Array.from({ length: numRows }, (_, row) => row);
  const [labelLogits, blendedLabels] = logitsOfEntries(head, places, targets, ensembleHidden === null ? [finalHidden] : [finalHidden, ensembleHidden]);
  /** Where z~ reaches this, a token is a negative: log(tau) and the normaliser of z~. */
  const thresholdsOf = (final: Float64Array, ensemble: Float64Array): Float64Array =>
    Float64Array.from(places, (row) => Math.log(thresholdScale) + (thresholdReference === 'ensemble' ? blendedLabels[row] : labelLogits[row] - final[row] + ensemble[row]));
  const buffer = ensembleHidden === null ? null : new CandidateBuffer(numRows, Math.min(KEPT_OF_ROW, Math.ceil(KEPT_IN_ALL / numRows), vocabSizeOf(head)));
  const candidates = buffer === null ? null : { buffer, cutoffsOf: (final: Float64Array, ensemble: Float64Array) => thresholdsOf(final, ensemble).map((threshold) => threshold - MARGIN) };
  const expected = trains.hidden ? 'all' : students === null ? 'none' : 'final';
  const expectations = streamExpectations(head, { final: finalHidden, students, ensemble: students === null ? ensembleHidden : null }, candidates, expected);
  const compared =
    distils && itemTokens !== undefined
      ? streamExpectations(ofTokens(head, tf.tensor1d(Int32Array.from(itemTokens), 'int32')), { final: finalHidden, students: intermediateHidden, ensemble: null }, null, trains.hidden ? 'all' : 'final')
      : expectations;

  const thresholds = buffer === null ? new Float64Array(0) : thresholdsOf(expectations.final, expectations.ensemble);
  const at: RowThresholds = { labels: targets, final: expectations.final, ensemble: expectations.ensemble, thresholds };

  const buffered = buffer === null ? { rows: Array.from(targets, () => UNPENALISED), changes: NO_CHANGES } : negativesFromCandidates(buffer, at, penaltyWeight, penalty);
  const missing = [...buffered.rows.keys()].filter((row) => buffered.rows[row] === null);
  const pick = (states: tf.Tensor2D): tf.Tensor2D => tf.gather(states, tf.tensor1d(missing, 'int32'));
  const again =
    missing.length === 0 || ensembleHidden === null
      ? { rows: [], sums: null }
      : penalisedPass(head, { places: missing, final: pick(finalHidden), ensemble: pick(ensembleHidden), expected: trains.hidden ? pick(expectations.rows as tf.Tensor2D) : null }, at, { penaltyWeight, penalty, withSums: trains.hidden });
  const rows = [...buffered.rows] as PenalisedRow[];
  missing.forEach((row, i) => (rows[row] = again.rows[i]));

  let found: Found = { at, ensembleHidden, expectations, compared, rows, changes: buffered.changes, again: { places: missing, sums: again.sums }, reward: null };
  if (reward !== null && rewardWeight !== 0) {
    const [logits, blended = null] = logitsOfEntries(head, reward.rows, reward.tokens, ensembleHidden === null ? [finalHidden] : [finalHidden, ensembleHidden]);
    found = { ...found, reward: rewardRows(reward, logits, blended, labelLogits, at) };
  }

  const crossEntropies = Float64Array.from(labelLogits, (logit, row) => expectations.final[row] - logit);
  const klPerLayer = distils ? divergences(compared, finalHidden, intermediateHidden) : [];
  const terms = {
    crossEntropy: mean(crossEntropies),
    cpo: mean(crossEntropies.map((value, row) => value + rows[row].logTotal)),
    cpd: mean(klPerLayer),
    crr: found.reward === null ? 0 : mean(found.reward.losses),
    numNegatives: mean(rows.map(({ numNegatives }) => numNegatives)),
    penaltyMass: mean(rows.map(({ mass }) => mass)),
    klPerLayer,
  };
  const total = terms.cpo + distillationWeight * terms.cpd + rewardWeight * terms.crr;
  return { terms: { total, ...terms }, gradients: trains.hidden ? gradientsOf(inputs, options, found, trains) : [] };
}

const NO_CHANGES: SparseFactors = { rows: [], tokens: [], factors: [] };

/** The layers' mean at each response row: [S * P, D] to [P, D]. */
function meanOfLayers(intermediate: tf.Tensor2D, numRows: number): tf.Tensor2D {
  const [rows, size] = intermediate.shape;
  return tf.mean<tf.Tensor2D>(tf.reshape(intermediate, [rows / numRows, numRows, size]), 0);
}

/** KL of each layer, mean over P; as z is linear in h, sum_v p^L (z^L - z^l) = E_L (h^L - h^l). */
function divergences({ final, students, rows }: Expectations, finalHidden: tf.Tensor2D, intermediateHidden: tf.Tensor2D): number[] {
  const [numRows, size] = finalHidden.shape;
  const layers = intermediateHidden.shape[0] / numRows;
  const means = tf.slice(rows as tf.Tensor2D, [0, 0], [numRows, size]); // E_L [P, D]
  const differences = tf.sub(finalHidden, tf.reshape(intermediateHidden, [layers, numRows, size])); // [S, P, D]
  const products = tf.sum(tf.mul(differences, means), 2).dataSync<'float32'>(); // [S * P]
  return Array.from({ length: layers }, (_, layer) => mean(Float64Array.from({ length: numRows }, (__, row) => products[layer * numRows + row] - final[row] + students[layer * numRows + row])));
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return values.length === 0 ? 0 : sum / values.length;
}
