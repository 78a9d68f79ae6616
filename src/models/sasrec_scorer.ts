import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { withoutTape } from '../ops/without_tape';
import type { ItemScorer } from './item_scorer';
import { sasrecEmbedding } from './sasrec';

/**
 * Makes a scorer of a trained SASRec: the logits of all items after a history, with the repeat bias on its items. An
 * empty history is scored from the start alone.
 *
 * A history longer than the model's `maxHistory` is cut to its newest items. The scorer reads the model's current
 * weights, so that training may continue between calls.
 *
 * @param model a model made by `sasrec`.
 * @returns the scorer.
 * @throws IlrecError when the model was not made by `sasrec`.
 * @example
 * ```ts
 * import { sasrec, sasrecScorer } from 'tfjs-ilrec';
 *
 * const scorer = sasrecScorer(sasrec({ numItems: 10, hiddenSize: 8 }));
 * console.log(scorer.score([[3, 1], []]).shape); // [ 2, 10 ]
 * ```
 */
export function sasrecScorer(model: tfl.LayersModel): ItemScorer {
  const embedding = sasrecEmbedding(model, 'sasrecScorer');
  const { numItems, maxHistory } = embedding;

  const scorePrefixes = (
    histories: readonly ArrayLike<number>[],
    rows: Int32Array,
    lengths: Int32Array,
  ): tf.Tensor2D => {
    if (rows.length === 0) return tf.zeros([0, numItems]);
    return withoutTape(() => {
      const { ids, length, positions } = layOut(histories, rows, lengths, maxHistory);
      const inputs = tf.tensor2d(ids, [ids.length / length, length], 'int32'); // [B, T]
      const states = model.predictOnBatch(inputs) as tf.Tensor3D; // [B, T, D]
      const hidden = tf.gather(tf.reshape(states, [-1, states.shape[2]]), positions) as tf.Tensor2D; // [R, D]
      const scores = tf.matMul(hidden, tf.transpose(embedding.itemTable())) as tf.Tensor2D; // [R, N]
      const bias = embedding.repeatBias();
      return bias === null
        ? scores
        : (tf.add(scores, tf.mul(seenMask(histories, rows, lengths, numItems), bias)) as tf.Tensor2D); // [R, N]
    });
  };

  return {
    name: 'sasrec',
    numItems,
    score: (histories) =>
      scorePrefixes(
        histories,
        Int32Array.from(histories.keys()),
        Int32Array.from(histories, (history) => history.length),
      ),
    scorePrefixes,
  };
}

/** 1 at the items of each prefix, [R, N]. */
function seenMask(
  histories: readonly ArrayLike<number>[],
  rows: Int32Array,
  lengths: Int32Array,
  numItems: number,
): tf.Tensor2D {
  const mask = new Float32Array(rows.length * numItems);
  rows.forEach((row, r) => {
    for (let i = 0; i < lengths[r]; i++) mask[r * numItems + histories[row][i]] = 1;
  });
  return tf.tensor2d(mask, [rows.length, numItems]);
}

interface Layout {
  /** Input rows, flat [B * T]: 0, then item numbers + 1, then padding 0. */
  readonly ids: Int32Array;
  /** T */
  readonly length: number;
  /** Flat index of each result's state, [R]. */
  readonly positions: Int32Array;
}

/** One input row per history covers all its prefixes that fit the model; a longer prefix gets its own row. */
function layOut(
  histories: readonly ArrayLike<number>[],
  rows: Int32Array,
  lengths: Int32Array,
  maxHistory: number,
): Layout {
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
  const length = 1 + Math.max(...windows.map(({ start, end }) => end - start));
  const ids = new Int32Array(windows.length * length);
  windows.forEach(({ row, start, end }, w) => {
    for (let i = start; i < end; i++) ids[w * length + 1 + i - start] = histories[row][i] + 1;
  });
  const positions = windowOf.map((w, r) => w * length + lengths[r] - windows[w].start);
  return { ids, length, positions };
}
