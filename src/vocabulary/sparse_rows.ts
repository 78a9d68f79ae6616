import * as tf from '@tensorflow/tfjs-core';
import { ofTokens } from './head_of_tokens';
import { hiddenSizeOf, type VocabularyProjection } from './vocabulary_projection';

/** A sparse [R, V] of factors: one entry for each pair of row and token. */
export interface SparseFactors {
  /** Which of the R rows. */
  readonly rows: number[];
  readonly tokens: number[];
  readonly factors: number[];
}

/** Numbers of the head's rows that are held at once: 4 MiB. */
const CHUNK_SIZE = 2 ** 20;

/** Runs over the entries in pieces whose rows of the head fit in memory. */
function forEachChunk(head: VocabularyProjection, count: number, visit: (from: number, to: number) => void): void {
  const size = Math.max(1, Math.floor(CHUNK_SIZE / hiddenSizeOf(head)));
  for (let from = 0; from < count; from += size) visit(from, Math.min(count, from + size));
}

/** Sums of factor * W_token over the entries of each row, [R, D]. */
export function sumsOfEntries(
  head: VocabularyProjection,
  { rows, tokens, factors }: SparseFactors,
  numRows: number,
): tf.Tensor2D {
  return tf.tidy(() => {
    let sums = tf.zeros([numRows, hiddenSizeOf(head)]) as tf.Tensor2D;
    forEachChunk(head, rows.length, (from, to) => {
      const next = tf.tidy(() => {
        const { weight } = ofTokens(head, tf.tensor1d(tokens.slice(from, to), 'int32')); // [n, D]
        const scaled = tf.mul(weight, tf.tensor2d(factors.slice(from, to), [to - from, 1]));
        return tf.add(
          sums,
          tf.unsortedSegmentSum(scaled, tf.tensor1d(rows.slice(from, to), 'int32'), numRows),
        ) as tf.Tensor2D;
      });
      sums.dispose();
      sums = next;
    });
    return sums;
  });
}

/** The logits of the entries' tokens, on the CPU: one list for each [R, D] of hidden states. */
export function logitsOfEntries(
  head: VocabularyProjection,
  rows: ArrayLike<number>,
  tokens: ArrayLike<number>,
  hidden: readonly tf.Tensor2D[],
): Float32Array[] {
  const found = hidden.map(() => new Float32Array(rows.length));
  forEachChunk(head, rows.length, (from, to) => {
    const [rowsHere, tokensHere] = [rows, tokens].map((list) =>
      Int32Array.from({ length: to - from }, (_, i) => list[from + i]),
    );
    tf.tidy(() => {
      const { weight, bias } = ofTokens(head, tf.tensor1d(tokensHere, 'int32')); // [n, D]
      hidden.forEach((states, i) => {
        const products = tf.sum(tf.mul(weight, tf.gather(states, tf.tensor1d(rowsHere, 'int32'))), 1);
        found[i].set((bias === null ? products : tf.add(products, bias)).dataSync<'float32'>(), from);
      });
    });
  });
  return found;
}
