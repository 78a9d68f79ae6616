import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from '../../ops/own_kernel';
import { PENALTIES, type Penalty } from '../penalty';

/** What decides on one row's negatives and their weights. */
export interface RowRule {
  readonly label: number;
  /** A token is a negative where its z~ is at least this. */
  readonly threshold: number;
  /** log sum e^z of z~. */
  readonly ensembleLogSumExp: number;
  /** Of z^L. */
  readonly finalLogSumExp: number;
  /** Sum of p~ over N_t; 1 where there are no negatives. */
  readonly ensembleMass: number;
}

export interface PenalisedTile {
  /** z', [R, tile]. */
  readonly raised: tf.Tensor2D;
  /** dz' / dz, [R, tile]. */
  readonly growth: tf.Tensor2D;
  /** Of the negatives in the tile: sum of p~, number, sum of p^L; [R, 3]. */
  readonly sums: tf.Tensor2D;
}

/**
 * Applies the penalty to a tile of logits, for rows whose thresholds and sums of p~ are known.
 *
 * @param logits z^L of the tokens from `start` on, [R, tile].
 * @param ensembleLogits z~ of them, [R, tile].
 */
export function penalise(
  logits: tf.Tensor2D,
  ensembleLogits: tf.Tensor2D,
  rules: readonly RowRule[],
  start: number,
  penaltyWeight: number,
  penalty: Penalty,
): PenalisedTile {
  const { kind, strength, slope } = PENALTIES[penalty];
  const kernel = ownKernel('ILRecPenalise');
  if (kernel !== null) {
    const known = table(rules, (rule) => [
      rule.threshold,
      rule.ensembleLogSumExp,
      1 / rule.ensembleMass,
      rule.finalLogSumExp,
      rule.label - start,
    ]);
    const [raised, growth, sums] = kernel(
      { logits, blended: ensembleLogits, known },
      { penaltyWeight, kind },
    ) as tf.Tensor2D[];
    return { raised, growth, sums };
  }
  const { members, shares, probabilities } = negativesOf(logits, ensembleLogits, rules, start);
  const raise = tf.mul(
    shares,
    table(rules, (rule) => [penaltyWeight / rule.ensembleMass]),
  ); // alpha w
  return {
    raised: tf.add(logits, tf.mul(raise, strength(logits))),
    growth: tf.add(1, tf.mul(raise, slope(logits))),
    sums: sumsOf([shares, members, probabilities]),
  };
}

export interface FirstOrderTile {
  /**
   * p (x + p~ ds / dz) of the negatives, x = p~ s: what the penalty adds to p, to first order and without alpha over
   * the sum of p~; [R, tile].
   */
  readonly factors: tf.Tensor2D;
  /** Of the negatives in the tile: sum of p~, number, sums of p^L, of p^L x and of p^L x^2; [R, 5]. */
  readonly sums: tf.Tensor2D;
  /** Largest |x| and |p~ ds / dz| of the negatives in the tile, [R, 1]: what is left out is of second order in both. */
  readonly largest: tf.Tensor2D;
}

/** Applies the penalty to first order in its weights, for rows whose sum of p~ over the negatives is not known yet. */
export function penaliseFirstOrder(
  logits: tf.Tensor2D,
  ensembleLogits: tf.Tensor2D,
  rules: readonly RowRule[],
  start: number,
  penalty: Penalty,
): FirstOrderTile {
  const { kind, strength, slope } = PENALTIES[penalty];
  const kernel = ownKernel('ILRecPenaliseFirstOrder');
  if (kernel !== null) {
    const known = table(rules, (rule) => [
      rule.threshold,
      rule.ensembleLogSumExp,
      rule.finalLogSumExp,
      rule.label - start,
    ]);
    const [factors, found] = kernel({ logits, blended: ensembleLogits, known }, { kind }) as tf.Tensor2D[];
    const [sums, largest] = tf.split(found, [5, 1], 1) as tf.Tensor2D[];
    return { factors, sums, largest };
  }
  const { members, shares, probabilities } = negativesOf(logits, ensembleLogits, rules, start);
  const x = tf.mul(shares, strength(logits));
  const px = tf.mul(probabilities, x);
  const growth = tf.mul(shares, slope(logits));
  return {
    factors: tf.add(px, tf.mul(probabilities, growth)),
    sums: sumsOf([shares, members, probabilities, px, tf.mul(px, x)]),
    largest: tf.max<tf.Tensor2D>(tf.maximum(tf.abs(x), tf.abs(growth)), 1, true),
  };
}

/** Of the negatives in a tile, 0 elsewhere: 1, p~ and p^L, [R, tile] each. */
function negativesOf(
  logits: tf.Tensor2D,
  ensembleLogits: tf.Tensor2D,
  rules: readonly RowRule[],
  start: number,
): { members: tf.Tensor; shares: tf.Tensor; probabilities: tf.Tensor } {
  const column = (read: (rule: RowRule) => number): tf.Tensor2D => table(rules, (rule) => [read(rule)]); // [R, 1]
  const labels = tf.tensor2d(
    Int32Array.from(rules, ({ label }) => label - start),
    [rules.length, 1],
    'int32',
  );
  const places = tf.range(0, logits.shape[1], 1, 'int32');
  const target = tf.cast(tf.equal(labels, places), 'float32'); // no 1 where the label is in another tile
  const reached = tf.greaterEqual(
    ensembleLogits,
    column((rule) => rule.threshold),
  );
  const members = tf.mul(tf.cast(reached, 'float32'), tf.sub(1, target));
  const within = (z: tf.Tensor2D, logSumExp: tf.Tensor2D): tf.Tensor => tf.mul(tf.exp(tf.sub(z, logSumExp)), members);
  return {
    members,
    shares: within(
      ensembleLogits,
      column((rule) => rule.ensembleLogSumExp),
    ),
    probabilities: within(
      logits,
      column((rule) => rule.finalLogSumExp),
    ),
  };
}

/** Numbers of each row, [R, n]. */
function table(rules: readonly RowRule[], read: (rule: RowRule) => number[]): tf.Tensor2D {
  const rows = rules.map(read);
  return tf.tensor2d(Float32Array.from(rows.flat()), [rows.length, rows[0].length]);
}

/** The sum of each row of several [R, tile], side by side. */
function sumsOf(columns: readonly tf.Tensor[]): tf.Tensor2D {
  return tf.concat(
    columns.map((each) => tf.sum(each, 1, true)),
    1,
  ) as tf.Tensor2D;
}
