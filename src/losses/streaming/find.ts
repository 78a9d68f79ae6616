import * as tf from '@tensorflow/tfjs-core';
import { ofTokens, vocabSizeOf } from '../../vocabulary/vocabulary_projection';
import type { IlrecObjectiveOptions } from '../ilrec_objective';
import { CandidateBuffer } from '../../vocabulary/candidates';
import { streamExpectations } from '../../vocabulary/expectations';
import { negativesFromCandidates, type RowThresholds } from './negatives';
import { type PenalisedRow, UNPENALISED } from './penalty';
import { penalisedPass } from './penalised_pass';
import { rewardRows } from './reward_rows';
import { logitsOfEntries } from '../../vocabulary/sparse_rows';
import type { Found, StreamingObjectiveInputs, Trained } from './types';

/** Tokens of a row, and of all rows together, that are kept as candidates; rows with more negatives are read again. */
export const [KEPT_OF_ROW, KEPT_IN_ALL] = [512, 2 ** 18];
/** How far, in nats, the threshold may fall from where the part of the vocabulary that has been seen puts it. */
export const MARGIN = 1.5;

/** Reads the vocabulary: once, and once more for rows with many negatives. */
export function find(
  { finalHidden, intermediateHidden, head, labels: targets, reward }: StreamingObjectiveInputs,
  options: IlrecObjectiveOptions,
  trains: Trained,
): Found {
  const { thresholdScale, thresholdReference, distillationWeight, rewardWeight, itemTokens } = options;
  const numRows = finalHidden.shape[0];
  const distils = intermediateHidden !== null && distillationWeight !== 0;
  const ensembleHidden = intermediateHidden === null ? null : meanOfLayers(intermediateHidden, numRows); // [P, D]
  const both = ensembleHidden === null ? [finalHidden] : [finalHidden, ensembleHidden];
  const places = Int32Array.from(targets.keys());
  const [labelLogits, blendedLabels] = logitsOfEntries(head, places, targets, both);
  /** Where z~ reaches this, a token is a negative: log(tau) and the normaliser of z~. */
  const thresholdsOf = (final: Float64Array, ensemble: Float64Array): Float64Array =>
    Float64Array.from(
      places,
      (row) =>
        Math.log(thresholdScale) +
        (thresholdReference === 'ensemble' ? blendedLabels[row] : labelLogits[row] - final[row] + ensemble[row]),
    );

  const buffer =
    ensembleHidden === null
      ? null
      : new CandidateBuffer(numRows, Math.min(KEPT_OF_ROW, Math.ceil(KEPT_IN_ALL / numRows), vocabSizeOf(head)));
  const candidates =
    buffer === null
      ? null
      : {
          buffer,
          cutoffsOf: (final: Float64Array, ensemble: Float64Array) =>
            thresholdsOf(final, ensemble).map((threshold) => threshold - MARGIN),
        };
  const students = distils && itemTokens === undefined ? intermediateHidden : null;
  const expected = trains.hidden ? 'all' : students === null ? 'none' : 'final';
  const expectations = streamExpectations(
    head,
    { final: finalHidden, students, ensemble: students === null ? ensembleHidden : null },
    candidates,
    expected,
  );
  let compared = expectations;
  if (distils && itemTokens !== undefined) {
    const slice = ofTokens(head, tf.tensor1d(Int32Array.from(itemTokens), 'int32'));
    compared = streamExpectations(
      slice,
      { final: finalHidden, students: intermediateHidden, ensemble: null },
      null,
      trains.hidden ? 'all' : 'final',
    );
  }

  const { final, ensemble } = expectations;
  const at: RowThresholds = {
    labels: targets,
    final,
    ensemble,
    thresholds: buffer === null ? new Float64Array(0) : thresholdsOf(final, ensemble),
  };
  const negatives = { at, labelLogits, ensembleHidden, expectations, compared, ...findNegatives(buffer, at, options) };
  const withReward =
    reward === null || rewardWeight === 0
      ? null
      : rewardRows(
          { ...reward, masses: reward.masses.dataSync<'float32'>() },
          logitsOfEntries(head, reward.rows, reward.tokens, both),
          labelLogits,
          at,
        );
  return { ...readAgain(negatives, { finalHidden, head }, options, trains), reward: withReward };
}

type Unread = Omit<Found, 'rows' | 'again' | 'reward'> & { readonly rows: readonly (PenalisedRow | null)[] };

function findNegatives(
  buffer: CandidateBuffer | null,
  at: RowThresholds,
  { penaltyWeight, penalty }: IlrecObjectiveOptions,
): Pick<Unread, 'rows' | 'changes'> {
  if (buffer === null)
    return { rows: Array.from(at.labels, () => UNPENALISED), changes: { rows: [], tokens: [], factors: [] } };
  return negativesFromCandidates(buffer, at, penaltyWeight, penalty);
}

/** Fills in the rows whose negatives the buffer does not hold. */
function readAgain(
  found: Unread,
  { finalHidden, head }: Pick<StreamingObjectiveInputs, 'finalHidden' | 'head'>,
  { penaltyWeight, penalty }: IlrecObjectiveOptions,
  trains: Trained,
): Omit<Found, 'reward'> {
  const rows = [...found.rows] as PenalisedRow[];
  const places = [...rows.keys()].filter((row) => found.rows[row] === null);
  if (places.length === 0 || found.ensembleHidden === null)
    return { ...found, rows, again: { places: [], sums: null } };
  const pick = (states: tf.Tensor2D): tf.Tensor2D => tf.gather(states, tf.tensor1d(places, 'int32'));
  const read = {
    places,
    final: pick(finalHidden),
    ensemble: pick(found.ensembleHidden),
    expected: trains.hidden ? pick(found.expectations.rows as tf.Tensor2D) : null,
  };
  const pass = penalisedPass(head, read, found.at, { penaltyWeight, penalty, withSums: trains.hidden });
  places.forEach((row, i) => (rows[row] = pass.rows[i]));
  return { ...found, rows, again: { places, sums: pass.sums } };
}

/** The layers' mean at each response row: [S * P, D] to [P, D]. */
export function meanOfLayers(intermediate: tf.Tensor2D, numRows: number): tf.Tensor2D {
  const [rows, size] = intermediate.shape;
  return tf.mean<tf.Tensor2D>(tf.reshape(intermediate, [rows / numRows, numRows, size]), 0);
}
