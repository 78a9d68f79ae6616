import * as tf from '@tensorflow/tfjs-core';
import { emptyState, logNormalisers, onlineSoftmax } from '../../ops/online_softmax';
import { hiddenSizeOf, logitsOf, sumsOfRows, type VocabularyProjection } from '../../ops/vocabulary_projection';
import type { Penalty } from '../cross_layer_preference';
import { forEachTile, Running } from './expectations';
import type { RowThresholds } from './negatives';
import { type PenalisedRow, TENSOR_STRENGTHS } from './penalty';

/** Response rows of which the whole vocabulary is read again, as columns [R, 1] on the device. */
export interface PenalisedRows {
  readonly labels: tf.Tensor1D;
  readonly final: tf.Tensor2D;
  readonly ensemble: tf.Tensor2D;
  readonly thresholds: tf.Tensor2D;
  /** Sum of p~ over N_t; 1 where there are no negatives. */
  readonly ensembleMass: tf.Tensor2D;
}

/** Some of the rows, by their places. */
export function columnsOf({ labels, final, ensemble, thresholds }: RowThresholds, ensembleMass: ArrayLike<number>, places: readonly number[]): PenalisedRows {
  const column = (values: ArrayLike<number>): tf.Tensor2D => tf.tensor2d(Float32Array.from(places, (row) => values[row]), [places.length, 1]);
  return {
    labels: tf.tensor1d(Int32Array.from(places, (row) => labels[row]), 'int32'),
    final: column(final),
    ensemble: column(ensemble),
    thresholds: column(thresholds),
    ensembleMass: column(ensembleMass),
  };
}

/** 1 at the negatives of a tile, else 0, [R, tile]. */
function membersOf(blended: tf.Tensor2D, rows: PenalisedRows, start: number): tf.Tensor2D {
  const target = tf.cast(tf.oneHot(tf.sub(rows.labels, tf.scalar(start, 'int32')) as tf.Tensor1D, blended.shape[1]), 'float32'); // no 1 where the label is in another tile
  return tf.mul(tf.cast(tf.greaterEqual(blended, rows.thresholds), 'float32'), tf.sub(1, target));
}

/** A tile of z', of its derivative by z, and of the negatives' places; [R, tile] each. */
export function penalisedTile(
  logits: tf.Tensor2D,
  blended: tf.Tensor2D,
  rows: PenalisedRows,
  start: number,
  penaltyWeight: number,
  penalty: Penalty,
): { raised: tf.Tensor2D; growth: tf.Tensor2D; members: tf.Tensor2D } {
  const members = membersOf(blended, rows, start);
  const shares = tf.div(tf.mul(tf.exp(tf.sub(blended, rows.ensemble)), members), rows.ensembleMass); // w
  const raise = tf.mul(shares, penaltyWeight); // alpha w
  const [strength, slope] = TENSOR_STRENGTHS[penalty](logits);
  return { raised: tf.add(logits, tf.mul(raise, strength)), growth: tf.add(1, tf.mul(raise, slope)), members };
}

export interface PenalisedPass {
  readonly rows: PenalisedRow[];
  /** Sum over the vocabulary of p' dz'/dz W, [R, D]; null where no gradient is asked for. */
  readonly sums: tf.Tensor2D | null;
}

/**
 * The penalised sums of rows whose negatives do not fit the buffer, as early in training, when most of the vocabulary passes the threshold: the
 * vocabulary is read twice more, first for the weights' normaliser, then for the sums.
 *
 * @param final hidden states of these rows, [R, D].
 * @param ensemble what z~ is the logit of, [R, D].
 */
export function penalisedPass(
  head: VocabularyProjection,
  final: tf.Tensor2D,
  ensemble: tf.Tensor2D,
  at: RowThresholds,
  places: readonly number[],
  { penaltyWeight, penalty, withSums }: { penaltyWeight: number; penalty: Penalty; withSums: boolean },
): PenalisedPass {
  const count = places.length;
  const columns = columnsOf(at, new Float32Array(at.labels.length).fill(1), places);
  const found = new Running(tf.zeros([count, 2]) as tf.Tensor2D); // p~ of the negatives, and how many they are
  forEachTile(head, count, (tile, start) => {
    const blended = logitsOf(tile, ensemble);
    const members = membersOf(blended, columns, start);
    const masses = tf.sum(tf.mul(tf.exp(tf.sub(blended, columns.ensemble)), members), 1, true);
    found.set(tf.add(found.value, tf.concat([masses, tf.sum(members, 1, true)], 1)));
  });
  const foundValues = found.value.dataSync<'float32'>();
  const ensembleMass = (i: number): number => (foundValues[2 * i + 1] > 0 ? foundValues[2 * i] : 1);

  const weighted: PenalisedRows = { ...columns, ensembleMass: tf.tensor2d(Float32Array.from(places, (_, i) => ensembleMass(i)), [count, 1]) };
  const state = new Running(emptyState(count));
  const mass = new Running(tf.zeros([count, 1]) as tf.Tensor2D); // p of the negatives
  const sums = withSums ? new Running(tf.zeros([count, hiddenSizeOf(head)]) as tf.Tensor2D) : null;
  forEachTile(head, 2 * count, (tile, start) => {
    const logits = logitsOf(tile, final);
    const { raised, growth, members } = penalisedTile(logits, logitsOf(tile, ensemble), weighted, start, penaltyWeight, penalty);
    mass.set(tf.add(mass.value, tf.sum(tf.mul(tf.exp(tf.sub(logits, weighted.final)), members), 1, true)));
    const { exponentials, state: next, factor } = onlineSoftmax(raised, state.value);
    state.set(next);
    if (sums !== null) sums.set(tf.add(tf.mul(sums.value, factor), sumsOfRows(tile, tf.mul(exponentials, growth))));
  });
  const normalisers = logNormalisers(state.value); // lse'
  const masses = mass.value.dataSync<'float32'>();
  const rows = places.map((place, i) => ({ numNegatives: foundValues[2 * i + 1], mass: masses[i], ensembleMass: ensembleMass(i), logTotal: normalisers[i] - at.final[place] }));
  const value = sums === null ? null : (tf.div(sums.value, tf.slice(state.value, [0, 1], [count, 1])) as tf.Tensor2D);
  tf.dispose([columns.labels, columns.final, columns.ensemble, columns.thresholds, columns.ensembleMass, weighted.ensembleMass]);
  for (const each of [found, state, mass, sums]) each?.dispose();
  return { rows, sums: value };
}
