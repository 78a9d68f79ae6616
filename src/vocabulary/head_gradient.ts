import * as tf from '@tensorflow/tfjs-core';
import type { TrainedParts, VocabularyProjection, VocabularyTile } from './vocabulary_projection';
import { forEachTile } from './vocabulary_tiles';
import type { SparseFactors } from './sparse_rows';

/** The gradient of a tile's logits [R, tile], and the hidden states that the logits were made of [R, D]. */
export type TileFactors = (tile: VocabularyTile) => { factors: tf.Tensor2D; hidden: tf.Tensor2D };

/** Gradients of a head's parts; null for a part that is not trained. */
export interface HeadGradient {
  readonly weight: tf.Tensor2D | null;
  readonly bias: tf.Tensor1D | null;
}

/** Reads the head once more and gives every tile's rows of W their gradient, so that the logits need not be kept. */
export function headGradient(
  head: VocabularyProjection,
  numRows: number,
  factorsOf: TileFactors,
  trains: TrainedParts,
): HeadGradient {
  const weights: tf.Tensor2D[] = [];
  const biases: tf.Tensor1D[] = [];
  forEachTile(head, 2 * numRows, (tile) => {
    const { factors, hidden } = factorsOf(tile);
    if (trains.weight) weights.push(tf.keep(tile.weightGradient(factors, hidden)));
    if (trains.bias) biases.push(tf.keep(tf.sum<tf.Tensor1D>(factors, 0)));
  });
  const weight = trains.weight ? tf.concat(weights, head.layout === 'rows' ? 0 : 1) : null;
  const bias = trains.bias ? tf.concat(biases) : null;
  tf.dispose([weights, biases]);
  return { weight, bias };
}

/**
 * The entries of one tile as a dense [numRows, size]; entries of one place add up.
 *
 * @param entries sorted by token, so that each tile finds its own by bisection.
 */
export function tileOfEntries(entries: SparseFactors, numRows: number, start: number, size: number): tf.Tensor2D {
  const { rows, tokens, factors } = entries;
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
