import * as tf from '@tensorflow/tfjs-core';
import { logitsOfTokens } from '../../vocabulary/device_head';
import type { VocabularyProjection } from '../../vocabulary/vocabulary_projection';
import type { RewardEntries } from '../reward';
import { indicator, sumOf } from './device_negatives';

/** The collaborative reward of each response row: `RewardRows` on the device. */
export interface DeviceReward {
  /** -sum_v r(v) log p^L(v), [P, 1]. */
  readonly losses: tf.Tensor2D;
  /** The tokens that may have some, the label first, then in any order; -1 for none, int32 [P, C]. */
  readonly tokens: tf.Tensor2D;
  /** r of each, [P, C]. */
  readonly shares: tf.Tensor2D;
}

/**
 * r_t = c_t restricted to N_t and y_t, renormalised; a row on which c has no mass falls back to its label.
 *
 * @param ensembleHidden what z~ is the logit of; null where there are no negatives.
 * @param final log sum e^z of the final layer, [P, 1]. @param thresholds where z~ reaches this, a token is a negative, [P, 1].
 */
export function rewardOnDevice(
  entries: RewardEntries,
  labels: Int32Array,
  head: VocabularyProjection,
  finalHidden: tf.Tensor2D,
  ensembleHidden: tf.Tensor2D | null,
  final: tf.Tensor2D,
  thresholds: tf.Tensor2D | null,
): DeviceReward {
  const { tokens, places, isLabel } = inRows(entries, labels);
  const masses = tf.reshape(tf.gather(tf.concat([entries.masses, tf.zeros([1])]), places), tokens.shape); // [P, C]
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
  ) as tf.Tensor2D;
  const losses = sumOf(tf.mul(shares, tf.sub(final, logitsOfTokens(head, finalHidden, tokens))));
  return { losses, tokens, shares };
}

/** The entries by their response row: tokens, where the mass of each is among the entries' (behind them: nowhere), and which is the label. */
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
