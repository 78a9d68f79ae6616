import * as tf from '@tensorflow/tfjs-core';
import type { CausalDecoder } from './decoder';
import type { PrefixTrie } from './prefix_trie';
import { readAndDispose } from './read_and_dispose';

/** What a step reads from the model's head, on the CPU. */
export interface TokenScores {
  /** Logits of C tokens, [R, C] row by row. C is the whole vocabulary, or the tokens that may follow. */
  readonly logits: Float32Array;
  /** C */
  readonly numColumns: number;
  /** Column of each token that may follow, [V]; null if the columns are the vocabulary. */
  readonly columnOf: Int32Array | null;
  /**
   * log sum exp over the vocabulary of each row, [R]; null if renormalised: the caller then sums over the edges of a
   * node.
   */
  readonly logNormalisers: Float32Array | null;
}

export interface TokenScoreOptions {
  renormalize: boolean;
  /** Tokens projected at once for the log-sum-exp. Default: see `defaultTileSize`. */
  vocabTileSize?: number;
}

/** Tokens of a tile, if the vocabulary does not fit one. */
const TILE_SIZE = 8192;
/** Up to this many logits are read whole: that costs less than selecting the columns of the tokens that may follow. */
const READ_ALL_BELOW = 2 ** 18;

/**
 * Projects the hidden states of a step onto the tokens that may follow any beam.
 *
 * For probabilities over the whole vocabulary, a vocabulary of one tile is projected once for the logits and their
 * log-sum-exp. A larger one is streamed, with one tile of logits [R, tile] in memory at a time.
 *
 * @param hidden [R, D]
 * @param nodes trie nodes of the beams, [R]; -1 for an unused beam.
 */
export async function readTokenScores(
  decoder: CausalDecoder,
  hidden: tf.Tensor2D,
  trie: PrefixTrie,
  nodes: Int32Array,
  { renormalize, vocabTileSize }: TokenScoreOptions,
): Promise<TokenScores> {
  const { vocabSize } = decoder;
  const tileSize = vocabTileSize ?? defaultTileSize(hidden.shape, vocabSize);
  if (!renormalize && vocabSize <= tileSize) {
    const allowed = hidden.shape[0] * vocabSize <= READ_ALL_BELOW ? null : allowedTokens(trie, nodes, vocabSize);
    const [logits, normalisers] = tf.tidy(() => {
      const all = decoder.project(hidden); // [R, V]
      return [allowed === null ? all : tf.gather(all, tf.tensor1d(allowed.tokens, 'int32'), 1), rowLogSumExp(all)];
    });
    const numColumns = logits.shape[1] as number;
    return {
      logits: await readAndDispose(logits),
      numColumns,
      columnOf: allowed?.columnOf ?? null,
      logNormalisers: await readAndDispose(normalisers),
    };
  }
  const { tokens, columnOf } = allowedTokens(trie, nodes, vocabSize);
  const logNormalisers = renormalize ? null : await readAndDispose(streamedLogSumExp(decoder, hidden, tileSize));
  return {
    logits: await readAndDispose(decoder.project(hidden, tokens)),
    numColumns: tokens.length,
    columnOf,
    logNormalisers,
  };
}

/** The whole vocabulary if its logits take no more memory than a tile and its copy of the head's rows; else 8192. */
function defaultTileSize([rows, hiddenSize]: readonly number[], vocabSize: number): number {
  return rows * vocabSize <= TILE_SIZE * (rows + hiddenSize) ? vocabSize : TILE_SIZE;
}

/**
 * The distinct tokens of the nodes' edges, in order of their first edge, [U], and the index of each, [V]. Linear in the
 * edges.
 */
export function allowedTokens(
  { childStart, childToken }: PrefixTrie,
  nodes: Int32Array,
  vocabSize: number,
): { tokens: Int32Array; columnOf: Int32Array } {
  const columnOf = new Int32Array(vocabSize).fill(-1);
  let edges = 0;
  for (const node of nodes) if (node >= 0) edges += childStart[node + 1] - childStart[node];
  const tokens = new Int32Array(Math.min(edges, vocabSize));
  let count = 0;
  for (const node of nodes) {
    if (node < 0) continue;
    for (let edge = childStart[node]; edge < childStart[node + 1]; edge++) {
      const token = childToken[edge];
      if (columnOf[token] >= 0) continue;
      columnOf[token] = count;
      tokens[count++] = token;
    }
  }
  return { tokens: tokens.slice(0, count), columnOf };
}

/** log sum_v exp(logit v) over the vocabulary, [R, 1], from the log-sum-exps of its tiles. */
function streamedLogSumExp(decoder: CausalDecoder, hidden: tf.Tensor2D, tileSize: number): tf.Tensor2D {
  return tf.tidy(() => {
    const tiles: tf.Tensor2D[] = []; // [R, 1] each
    for (let start = 0; start < decoder.vocabSize; start += tileSize) {
      const ids = new Int32Array(Math.min(tileSize, decoder.vocabSize - start));
      for (let i = 0; i < ids.length; i++) ids[i] = start + i;
      tiles.push(tf.tidy(() => rowLogSumExp(decoder.project(hidden, ids))));
    }
    return rowLogSumExp(tf.concat2d(tiles, 1));
  });
}

/**
 * log sum exp of each row, [R, C] -> [R, 1]. The largest softmax is 1 / sum exp(z - max); softmax is fused on every
 * backend, and exp is slow on wasm.
 */
function rowLogSumExp(logits: tf.Tensor2D): tf.Tensor2D {
  return tf.sub(tf.max(logits, 1, true), tf.log(tf.max(tf.softmax(logits), 1, true)));
}
