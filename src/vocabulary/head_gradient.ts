import * as tf from '@tensorflow/tfjs-core';
import type { VocabularyProjection, VocabularyTile } from './vocabulary_projection';
import { forEachTile } from './vocabulary_tiles';
import type { SparseFactors } from './sparse_rows';

/** What flows to the logits of a tile, and the hidden states that they were made of: [R, tile] and [R, D]. */
export type TileFactors = (tile: VocabularyTile) => { factors: tf.Tensor2D; hidden: tf.Tensor2D };

/** Gradients of a head that is trained; null where one is not. */
export interface HeadGradient {
  readonly weight: tf.Tensor2D | null;
  readonly bias: tf.Tensor1D | null;
}

/** One more pass over the vocabulary, in which every tile's rows of W get their gradient. */
export function headGradient(
  head: VocabularyProjection,
  rows: number,
  factorsOf: TileFactors,
  trains: { weight: boolean; bias: boolean },
): HeadGradient {
  const weights: tf.Tensor2D[] = [];
  const biases: tf.Tensor1D[] = [];
  forEachTile(head, 2 * rows, (tile) => {
    const { factors, hidden } = factorsOf(tile);
    if (trains.weight) weights.push(tf.keep(tile.weightGradient(factors, hidden)));
    if (trains.bias) biases.push(tf.keep(tf.sum<tf.Tensor1D>(factors, 0)));
  });
  const weight = trains.weight ? tf.concat(weights, head.layout === 'rows' ? 0 : 1) : null;
  const bias = trains.bias ? tf.concat(biases) : null;
  tf.dispose([weights, biases]);
  return { weight, bias };
}

/** The entries of one tile as a dense [rows, size]; entries of one place add up. Sorted by token before, each tile finds its own at once. */
export function tileOfEntries(
  { rows, tokens, factors }: SparseFactors,
  numRows: number,
  start: number,
  size: number,
): tf.Tensor2D {
  const [from, to] = [firstAtLeast(tokens, start), firstAtLeast(tokens, start + size)];
  if (from === to) return tf.zeros([numRows, size]);
  const places = new Int32Array(to - from).map((_, i) => rows[from + i] * size + tokens[from + i] - start);
  const sums = tf.unsortedSegmentSum(
    tf.tensor1d(Float32Array.from(factors.slice(from, to))),
    tf.tensor1d(places, 'int32'),
    numRows * size,
  );
  return tf.reshape(sums, [numRows, size]);
}

export function sortedByToken({ rows, tokens, factors }: SparseFactors): SparseFactors {
  const order = [...tokens.keys()].sort((a, b) => tokens[a] - tokens[b]);
  return {
    rows: order.map((i) => rows[i]),
    tokens: order.map((i) => tokens[i]),
    factors: order.map((i) => factors[i]),
  };
}

function firstAtLeast(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
