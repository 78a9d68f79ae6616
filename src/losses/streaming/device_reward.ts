import * as tf from '@tensorflow/tfjs-core';
import { logitsOfTokens } from '../../vocabulary/device_head';
import type { VocabularyProjection } from '../../vocabulary/vocabulary_projection';
import type { RewardEntries } from '../reward';
import { indicator, sumOf } from './device_negatives';

/** The collaborative reward of each response row: `RewardRows` on the device. */
export interface DeviceReward {
  /** -sum_v r(v) log p^L(v), [P, 1]. */
  readonly losses: tf.Tensor2D;
  /** The tokens that may have a share, int32 [P, C]: the label, then others in any order; -1 for an unused place. */
  readonly tokens: tf.Tensor2D;
  /** r of each, [P, C]. */
  readonly shares: tf.Tensor2D;
}

/** What decides which tokens of the rows may have a reward. */
interface RewardRule {
  readonly finalHidden: tf.Tensor2D;
  /** Hidden states whose logits are z~, [P, D]; null without negatives. */
  readonly ensembleHidden: tf.Tensor2D | null;
  /** log sum e^z of z^L, [P, 1]. */
  readonly finalLogSumExp: tf.Tensor2D;
  /** A token is a negative where its z~ is at least this, [P, 1]; null without negatives. */
  readonly thresholds: tf.Tensor2D | null;
}

/** r_t = c_t restricted to N_t and y_t, renormalised; a row on which c has no mass falls back to its label. */
export function rewardOnDevice(
  entries: RewardEntries,
  labels: Int32Array,
  head: VocabularyProjection,
  { finalHidden, ensembleHidden, finalLogSumExp, thresholds }: RewardRule,
): DeviceReward {
  const { tokens, places, isLabel } = inRows(entries, labels);
  const masses = tf.reshape(tf.gather(tf.concat([entries.masses, tf.zeros([1])]), places), tokens.shape); // c [P, C]
  const counts =
    ensembleHidden === null || thresholds === null
      ? isLabel
      : tf.maximum(isLabel, indicator(tf.greaterEqual(logitsOfTokens(head, ensembleHidden, tokens), thresholds)));
  const restricted = tf.mul(masses, counts);
  const total = sumOf(restricted); // [P, 1]
  const hasMass = indicator(tf.greater(total, 0));
  const shares = tf.add(
    tf.div(restricted, tf.add(total, tf.sub(1, hasMass))),
    tf.mul(isLabel, tf.sub(1, hasMass)),
  ) as tf.Tensor2D; // r [P, C]
  const losses = sumOf(tf.mul(shares, tf.sub(finalLogSumExp, logitsOfTokens(head, finalHidden, tokens))));
  return { losses, tokens, shares };
}

/**
 * The entries as a table, a line for each response row: tokens, the place of each one's mass among the entries (behind
 * the last for none), and which is the label.
 */
function inRows(
  { rows, tokens }: RewardEntries,
  labels: Int32Array,
): { tokens: tf.Tensor2D; places: tf.Tensor1D; isLabel: tf.Tensor2D } {
  const lists = Array.from(labels, (label) => [{ token: label, place: rows.length }]);
  rows.forEach((row, place) => {
    if (tokens[place] === labels[row]) lists[row][0].place = place;
    else lists[row].push({ token: tokens[place], place });
  });
  const width = lists.reduce((most, list) => Math.max(most, list.length), 1);
  const shape: [number, number] = [labels.length, width];
  const table = (fill: number, read: (entry: { token: number; place: number }) => number): Int32Array => {
    const values = new Int32Array(labels.length * width).fill(fill);
    lists.forEach((list, row) => list.forEach((entry, i) => (values[row * width + i] = read(entry))));
    return values;
  };
  const isLabel = new Float32Array(labels.length * width).map((_, i) => (i % width === 0 ? 1 : 0));
  return {
    tokens: tf.tensor2d(
      table(-1, ({ token }) => token),
      shape,
      'int32',
    ),
    places: tf.tensor1d(
      table(rows.length, ({ place }) => place),
      'int32',
    ),
    isLabel: tf.tensor2d(isLabel, shape),
  };
}
