import * as tf from '@tensorflow/tfjs-core';
import { OnlineSoftmax } from '../../vocabulary/online_softmax';
import { Running } from '../../vocabulary/running';
import { hiddenSizeOf, type VocabularyProjection } from '../../vocabulary/vocabulary_projection';
import { forEachTile } from '../../vocabulary/vocabulary_tiles';
import type { Penalty } from '../penalty';
import type { NegativeRule, RowNegatives } from './negatives';
import { penalise, penaliseFirstOrder, type RowRule } from './penalise';

export interface PenalisedPass {
  readonly negatives: RowNegatives[];
  /** Sums over the vocabulary of p' dz'/dz W, [R, D]; null where no gradient is asked for. */
  readonly sums: tf.Tensor2D | null;
}

export interface PenalisedPassOptions {
  readonly penaltyWeight: number;
  readonly penalty: Penalty;
  /** Whether gradients are asked for. */
  readonly withSums: boolean;
}

/** Rows that are read again, and their hidden states. */
export interface RowsToRead {
  /** Their places among the response rows, [R]. */
  readonly places: readonly number[];
  /** [R, D] */
  readonly finalHidden: tf.Tensor2D;
  /** Hidden states whose logits are z~, [R, D]. */
  readonly ensembleHidden: tf.Tensor2D;
  /** E_p[W] of the final layer, [R, D]; null where no gradient is asked for. */
  readonly expectations: tf.Tensor2D | null;
}

/** The rule of some of the rows, one by one. */
export function rulesOf(
  { labels, finalLogSumExp, ensembleLogSumExp, thresholds }: NegativeRule,
  places: readonly number[],
  ensembleMassOf: (place: number) => number,
): RowRule[] {
  return places.map((place) => ({
    label: labels[place],
    finalLogSumExp: finalLogSumExp[place],
    ensembleLogSumExp: ensembleLogSumExp[place],
    threshold: thresholds[place],
    ensembleMass: ensembleMassOf(place) || 1,
  }));
}

/**
 * Up to this alpha w s and alpha w ds / dz of each negative, what the first order leaves out of a gradient is below
 * 1e-5 of the token's probability.
 */
const FIRST_ORDER_UP_TO = 2e-3;

/**
 * The penalised sums of rows whose negatives do not fit the buffer, as early in training, when most of the vocabulary
 * passes the threshold. With that many negatives each one's weight is tiny, and one more reading of the vocabulary
 * gives the sums to first order:
 *
 * ```
 * sum_N e^(z' - lse) = sum_N p (1 + a x + a^2 x^2 / 2),   x = p~ s,   a = alpha / sum_N p~
 * ```
 * Rows with a larger weight are read once more, exactly.
 */
export function penalisedPass(
  head: VocabularyProjection,
  read: RowsToRead,
  rule: NegativeRule,
  options: PenalisedPassOptions,
): PenalisedPass {
  const { penaltyWeight, penalty, withSums } = options;
  const { places, finalHidden, ensembleHidden, expectations } = read;
  const count = places.length;
  const rules = rulesOf(rule, places, () => 1);
  const hidden = tf.concat([finalHidden, ensembleHidden], 0); // [2 R, D]
  const found = new Running(tf.zeros([count, 5]) as tf.Tensor2D);
  const largest = new Running(tf.zeros([count, 1]) as tf.Tensor2D);
  const changes = withSums ? new Running(tf.zeros([count, hiddenSizeOf(head)]) as tf.Tensor2D) : null;
  forEachTile(head, 2 * count, (tile) => {
    const [logits, ensembleLogits] = tf.split(tile.logitsOf(hidden), 2, 0) as tf.Tensor2D[]; // [R, tile] each
    const first = penaliseFirstOrder(logits, ensembleLogits, rules, tile.start, penalty);
    found.set(tf.add(found.value, first.sums));
    largest.set(tf.maximum(largest.value, first.largest));
    if (changes !== null) changes.set(tf.add(changes.value, tile.sumsOfRows(first.factors)));
  });
  const [sums, most] = [found.value.dataSync<'float32'>(), largest.value.dataSync<'float32'>()];
  const scales = places.map((_, i) => (sums[5 * i] > 0 ? penaltyWeight / sums[5 * i] : 0)); // a
  const negatives = places.map((_, i): RowNegatives => {
    const [ensembleMass, numNegatives, mass, first, second] = sums.subarray(5 * i, 5 * i + 5);
    return { numNegatives, mass, ensembleMass, logTotal: Math.log1p(scales[i] * (first + (scales[i] * second) / 2)) };
  });
  let value: tf.Tensor2D | null = null;
  if (changes !== null) {
    const inverse = column(negatives.map(({ logTotal }) => Math.exp(-logTotal)));
    value = tf.mul(tf.add(expectations as tf.Tensor2D, tf.mul(changes.value, column(scales))), inverse) as tf.Tensor2D;
  }
  for (const each of [found, largest, changes]) each?.dispose();

  const strong = [...places.keys()].filter((i) => scales[i] * most[i] > FIRST_ORDER_UP_TO);
  if (strong.length === 0) return { negatives, sums: value };
  const pick = (states: tf.Tensor2D): tf.Tensor2D => tf.gather(states, tf.tensor1d(strong, 'int32'));
  const exact = exactPass(
    head,
    { places: strong.map((i) => places[i]), finalHidden: pick(finalHidden), ensembleHidden: pick(ensembleHidden) },
    rule,
    options,
    strong.map((i) => negatives[i]),
  );
  strong.forEach((i, n) => (negatives[i] = exact.negatives[n]));
  if (value === null || exact.sums === null) return { negatives, sums: value };
  const isStrong = column(places.map((_, i) => (strong.includes(i) ? 1 : 0)));
  return {
    negatives,
    sums: tf.add(
      tf.mul(value, tf.sub(1, isStrong)),
      tf.unsortedSegmentSum(exact.sums, tf.tensor1d(strong, 'int32'), count),
    ) as tf.Tensor2D,
  };
}

function column(values: readonly number[]): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(values), [values.length, 1]);
}

/**
 * The same without the first-order approximation.
 *
 * @param counted the rows' negatives, with everything but the exact penalised sum.
 */
function exactPass(
  head: VocabularyProjection,
  { places, finalHidden, ensembleHidden }: Omit<RowsToRead, 'expectations'>,
  rule: NegativeRule,
  { penaltyWeight, penalty, withSums }: PenalisedPassOptions,
  counted: readonly RowNegatives[],
): PenalisedPass {
  const count = places.length;
  const rules = rulesOf(rule, places, (place) => counted[places.indexOf(place)].ensembleMass);
  const hidden = tf.concat([finalHidden, ensembleHidden], 0);
  const softmax = new OnlineSoftmax(count);
  const sums = withSums ? new Running(tf.zeros([count, hiddenSizeOf(head)]) as tf.Tensor2D) : null;
  forEachTile(head, 2 * count, (tile) => {
    const [logits, ensembleLogits] = tf.split(tile.logitsOf(hidden), 2, 0) as tf.Tensor2D[];
    const { raised, growth } = penalise(logits, ensembleLogits, rules, tile.start, penaltyWeight, penalty);
    const { exponentials, factor } = softmax.add(raised);
    if (sums !== null) sums.set(tf.add(tf.mul(sums.value, factor), tile.sumsOfRows(tf.mul(exponentials, growth))));
  });
  const raisedLogSumExp = softmax.readLogSumExp(); // lse'
  const negatives = places.map((place, i) => ({
    ...counted[i],
    logTotal: raisedLogSumExp[i] - rule.finalLogSumExp[place],
  }));
  const value = sums === null ? null : (tf.div(sums.value, softmax.sums) as tf.Tensor2D);
  for (const each of [softmax, sums]) each?.dispose();
  return { negatives, sums: value };
}
