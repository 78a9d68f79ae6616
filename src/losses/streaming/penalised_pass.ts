import * as tf from '@tensorflow/tfjs-core';
import { emptyState, logNormalisers, onlineSoftmax } from '../../ops/online_softmax';
import { hiddenSizeOf, type VocabularyProjection } from '../../ops/vocabulary_projection';
import type { Penalty } from '../cross_layer_preference';
import { forEachTile, Running } from './expectations';
import type { RowThresholds } from './negatives';
import type { PenalisedRow } from './penalty';
import { type KnownRow, penalise } from './penalise';

export interface PenalisedPass {
  readonly rows: PenalisedRow[];
  /** Sum over the vocabulary of p' dz'/dz W, [R, D]; null where no gradient is asked for. */
  readonly sums: tf.Tensor2D | null;
}

/** What is known of some of the rows. */
export function knownRows({ labels, final, ensemble, thresholds }: RowThresholds, places: readonly number[], ensembleMass: (place: number) => number): KnownRow[] {
  return places.map((place) => ({ label: labels[place], final: final[place], ensemble: ensemble[place], threshold: thresholds[place], ensembleMass: ensembleMass(place) || 1 }));
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
  const found = new Running(tf.zeros([count, 3]) as tf.Tensor2D); // of the negatives: sum of p~, number, sum of p
  const unweighted = knownRows(at, places, () => 1);
  forEachTile(head, count, (tile) => {
    const blended = tile.logitsOf(ensemble);
    found.set(tf.add(found.value, penalise(blended, blended, unweighted, tile.start, 0, penalty).sums));
  });
  const foundValues = found.value.dataSync<'float32'>();
  const masses = new Map(places.map((place, i) => [place, foundValues[3 * i]]));
  const weighted = knownRows(at, places, (place) => masses.get(place) as number);

  const state = new Running(emptyState(count));
  const mass = new Running(tf.zeros([count, 3]) as tf.Tensor2D);
  const sums = withSums ? new Running(tf.zeros([count, hiddenSizeOf(head)]) as tf.Tensor2D) : null;
  forEachTile(head, 2 * count, (tile) => {
    const { raised, growth, sums: ofMembers } = penalise(tile.logitsOf(final), tile.logitsOf(ensemble), weighted, tile.start, penaltyWeight, penalty);
    mass.set(tf.add(mass.value, ofMembers));
    const { exponentials, state: next, factor } = onlineSoftmax(raised, state.value);
    state.set(next);
    if (sums !== null) sums.set(tf.add(tf.mul(sums.value, factor), tile.sumsOfRows(tf.mul(exponentials, growth))));
  });
  const normalisers = logNormalisers(state.value); // lse'
  const massValues = mass.value.dataSync<'float32'>();
  const rows = places.map((place, i) => ({
    numNegatives: foundValues[3 * i + 1],
    mass: massValues[3 * i + 2],
    ensembleMass: foundValues[3 * i],
    logTotal: normalisers[i] - at.final[place],
  }));
  const value = sums === null ? null : (tf.div(sums.value, tf.slice(state.value, [0, 1], [count, 1])) as tf.Tensor2D);
  for (const each of [found, state, mass, sums]) each?.dispose();
  return { rows, sums: value };
}
