import * as tf from '@tensorflow/tfjs-core';
import { CandidateBuffer } from '../../vocabulary/candidates';
import { logitsOfEntries } from '../../vocabulary/sparse_rows';
import { ofTokens } from '../../vocabulary/head_of_tokens';
import { vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import { negativesFromCandidates, type NegativeRule, NO_NEGATIVES, type RowNegatives } from './negatives';
import { penalisedPass } from './penalised_pass';
import { meanOfLayers, readLayers } from './read_layers';
import { rewardRows } from './reward_rows';
import type { Coefficients, Found, StreamingObjectiveInputs, Trained } from './types';

/** Tokens of a row, and of all rows together, that are kept as candidates; rows with more negatives are read again. */
export const [KEPT_OF_ROW, KEPT_IN_ALL] = [512, 2 ** 18];
/** How far, in nats, the threshold may still fall below where the tokens read so far put it. */
export const MARGIN = 1.5;

/** Reads the head: once, and once more for rows with many negatives. */
export function find(
  { finalHidden, intermediateHidden, head, labels, reward }: StreamingObjectiveInputs,
  options: Coefficients,
  trains: Trained,
): Found {
  const { thresholdScale, thresholdReference, distillationWeight, rewardWeight, distillationTokens } = options;
  const numRows = finalHidden.shape[0];
  const distils = intermediateHidden !== null && distillationWeight !== 0;
  const ensembleHidden = intermediateHidden === null ? null : meanOfLayers(intermediateHidden, numRows); // [P, D]
  const hidden = ensembleHidden === null ? [finalHidden] : [finalHidden, ensembleHidden];
  const places = Int32Array.from(labels.keys());
  const [labelLogits, labelEnsembleLogits] = logitsOfEntries(head, places, labels, hidden);
  /** Where z~ reaches this, a token is a negative: log(tau) + log sum e^z~. */
  const thresholdsOf = (finalLogSumExp: Float64Array, ensembleLogSumExp: Float64Array): Float64Array =>
    Float64Array.from(
      places,
      (row) =>
        Math.log(thresholdScale) +
        (thresholdReference === 'ensemble'
          ? labelEnsembleLogits[row]
          : labelLogits[row] - finalLogSumExp[row] + ensembleLogSumExp[row]),
    );

  const buffer =
    ensembleHidden === null
      ? null
      : new CandidateBuffer(numRows, Math.min(KEPT_OF_ROW, Math.ceil(KEPT_IN_ALL / numRows), vocabSizeOf(head)));
  const search =
    buffer === null
      ? null
      : {
          buffer,
          cutoffsOf: (finalLogSumExp: Float64Array, ensembleLogSumExp: Float64Array) =>
            thresholdsOf(finalLogSumExp, ensembleLogSumExp).map((threshold) => threshold - MARGIN),
        };
  const studentHidden = distils && distillationTokens === undefined ? intermediateHidden : null;
  const expected = trains.hidden ? 'all' : studentHidden === null ? 'none' : 'final';
  const reading = readLayers(
    head,
    { finalHidden, studentHidden, ensembleHidden: studentHidden === null ? ensembleHidden : null },
    search,
    expected,
  );
  let compared = reading;
  if (distils && distillationTokens !== undefined) {
    const slice = ofTokens(head, tf.tensor1d(Int32Array.from(distillationTokens), 'int32'));
    compared = readLayers(
      slice,
      { finalHidden, studentHidden: intermediateHidden, ensembleHidden: null },
      null,
      trains.hidden ? 'all' : 'final',
    );
  }

  const { finalLogSumExp, ensembleLogSumExp } = reading;
  const thresholds = buffer === null ? new Float64Array(0) : thresholdsOf(finalLogSumExp, ensembleLogSumExp);
  const rule: NegativeRule = { labels, finalLogSumExp, ensembleLogSumExp, thresholds };
  const found = { rule, labelLogits, ensembleHidden, reading, compared, ...findNegatives(buffer, rule, options) };
  const rewards =
    reward === null || rewardWeight === 0
      ? null
      : rewardRows(
          { ...reward, masses: reward.masses.dataSync<'float32'>() },
          logitsOfEntries(head, reward.rows, reward.tokens, hidden),
          labelLogits,
          rule,
        );
  return { ...readAgain(found, { finalHidden, head }, options, trains), reward: rewards };
}

type Unread = Omit<Found, 'negatives' | 'reread' | 'reward'> & { readonly negatives: readonly (RowNegatives | null)[] };

function findNegatives(
  buffer: CandidateBuffer | null,
  rule: NegativeRule,
  { penaltyWeight, penalty }: Coefficients,
): Pick<Unread, 'negatives' | 'changes'> {
  if (buffer === null)
    return { negatives: Array.from(rule.labels, () => NO_NEGATIVES), changes: { rows: [], tokens: [], factors: [] } };
  return negativesFromCandidates(buffer, rule, penaltyWeight, penalty);
}

/** Fills in the rows whose negatives the buffer does not hold. */
function readAgain(
  found: Unread,
  { finalHidden, head }: Pick<StreamingObjectiveInputs, 'finalHidden' | 'head'>,
  { penaltyWeight, penalty }: Coefficients,
  trains: Trained,
): Omit<Found, 'reward'> {
  const negatives = [...found.negatives] as RowNegatives[];
  const places = [...negatives.keys()].filter((row) => found.negatives[row] === null);
  if (places.length === 0 || found.ensembleHidden === null)
    return { ...found, negatives, reread: { places: [], sums: null } };
  const pick = (states: tf.Tensor2D): tf.Tensor2D => tf.gather(states, tf.tensor1d(places, 'int32'));
  const read = {
    places,
    finalHidden: pick(finalHidden),
    ensembleHidden: pick(found.ensembleHidden),
    expectations: trains.hidden ? pick(found.reading.expectations as tf.Tensor2D) : null,
  };
  const pass = penalisedPass(head, read, found.rule, { penaltyWeight, penalty, withSums: trains.hidden });
  places.forEach((row, i) => (negatives[row] = pass.negatives[i]));
  return { ...found, negatives, reread: { places, sums: pass.sums } };
}
