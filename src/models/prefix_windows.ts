import * as tf from '@tensorflow/tfjs-core';
import { withoutTape } from '../ops/without_tape';
import type { ItemScorer } from './item_scorer';

/** Input rows that show histories to a model which reads one token per item. */
export interface PrefixWindows {
  /** Token ids, flat [B * T]: the start token, then the items, then padding. */
  readonly ids: Int32Array;
  /** T. */
  readonly length: number;
  /** Flat index of each prefix's last token, [R]. */
  readonly positions: Int32Array;
}

/** How a model names items. */
export interface ItemTokens {
  /** The token that begins a history. */
  readonly startTokenId: number;
  readonly padTokenId: number;
  /** The token of item 0; those of the others follow. */
  readonly firstItemToken: number;
}

/**
 * Lays out prefixes of histories. One row per history covers all its prefixes that fit the model; a longer prefix gets a
 * row of its own, with its newest items.
 *
 * @param histories item numbers, oldest first.
 * @param rows the history of each prefix, [R].
 * @param lengths how many of its items are known, [R].
 */
export function prefixWindows(
  histories: readonly ArrayLike<number>[],
  rows: Int32Array,
  lengths: Int32Array,
  maxHistory: number,
  { startTokenId, padTokenId, firstItemToken }: ItemTokens,
): PrefixWindows {
  const windows: { row: number; start: number; end: number }[] = [];
  const shared = new Map<number, number>(); // history -> its window that starts at the oldest item
  const windowOf = Int32Array.from(rows, (row, r) => {
    const end = lengths[r];
    if (end > maxHistory) return windows.push({ row, start: end - maxHistory, end }) - 1;
    const known = shared.get(row);
    if (known === undefined) {
      shared.set(row, windows.length);
      return windows.push({ row, start: 0, end }) - 1;
    }
    windows[known].end = Math.max(windows[known].end, end);
    return known;
  });
  const length = 1 + windows.reduce((longest, { start, end }) => Math.max(longest, end - start), 0);
  const ids = new Int32Array(windows.length * length).fill(padTokenId);
  windows.forEach(({ row, start, end }, w) => {
    ids[w * length] = startTokenId;
    for (let i = start; i < end; i++) ids[w * length + 1 + i - start] = histories[row][i] + firstItemToken;
  });
  const positions = windowOf.map((w, r) => w * length + lengths[r] - windows[w].start);
  return { ids, length, positions };
}

/** How a model reads histories, and what it is called. */
export interface PrefixScorerOptions {
  readonly name: string;
  readonly numItems: number;
  /** Newest items that the model reads. */
  readonly maxHistory: number;
  readonly tokens: ItemTokens;
  /** The number on the scores of items of the history, [1]; null for none. */
  repeatBias(): tf.Tensor1D | null;
}

/**
 * A scorer from a model that reads windows of tokens, off the tape.
 *
 * @param scoresAt scores of all items at flat positions [R] of the inputs [B, T], [R, N].
 */
export function scorerOfPrefixes(
  { name, numItems, maxHistory, tokens, repeatBias }: PrefixScorerOptions,
  scoresAt: (inputs: tf.Tensor2D, positions: Int32Array) => tf.Tensor2D,
): ItemScorer {
  const scorePrefixes = (
    histories: readonly ArrayLike<number>[],
    rows: Int32Array,
    lengths: Int32Array,
  ): tf.Tensor2D => {
    if (rows.length === 0) return tf.zeros([0, numItems]);
    return withoutTape(() => {
      const { ids, length, positions } = prefixWindows(histories, rows, lengths, maxHistory, tokens);
      const scores = scoresAt(tf.tensor2d(ids, [ids.length / length, length], 'int32'), positions);
      const bias = repeatBias();
      if (bias === null) return scores;
      const members = tf.tensor2d(prefixMembers(histories, rows, lengths, numItems), scores.shape);
      return tf.add(scores, tf.mul(members, bias));
    });
  };
  const score = (histories: readonly ArrayLike<number>[]): tf.Tensor2D =>
    scorePrefixes(
      histories,
      Int32Array.from(histories.keys()),
      Int32Array.from(histories, ({ length }) => length),
    );
  return { name, numItems, score, scorePrefixes };
}

/** 1 at the items of each prefix, [R * N]. */
export function prefixMembers(
  histories: readonly ArrayLike<number>[],
  rows: Int32Array,
  lengths: Int32Array,
  numItems: number,
): Float32Array {
  const members = new Float32Array(rows.length * numItems);
  rows.forEach((row, r) => {
    for (let i = 0; i < lengths[r]; i++) members[r * numItems + histories[row][i]] = 1;
  });
  return members;
}
