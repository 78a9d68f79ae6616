import * as tf from '@tensorflow/tfjs-core';
import type { CausalDecoder } from './decoder';
import type { PrefixTrie } from './prefix_trie';
import { readAndDispose } from './read_and_dispose';

/** What a step's beams need of the model's head, on the CPU. */
export interface TokenScores {
  /** Logits of C tokens, [R, C] row by row; C is all of the vocabulary or only what may follow. */
  readonly logits: Float32Array;
  readonly numColumns: number;
  /** Column of each token id that may follow, [V]. */
  readonly columnOf: Int32Array;
  /** log sum exp over the vocabulary of each row, [R]; null when renormalised, where the caller sums over a node's own edges. */
  readonly logNormalisers: Float32Array | null;
}

export interface TokenScoreOptions {
  renormalize: boolean;
  /** Token ids projected at once for the log-sum-exp. */
  vocabTileSize: number;
}

/**
 * Projects a step's hidden states onto the tokens that may follow any beam, each once. Where probabilities are over the whole vocabulary, a vocabulary of
 * one tile is projected once for both the logits and their log-sum-exp; a larger one is streamed, one tile of logits [R, tile] in memory at a time.
 *
 * @param hidden [R, D]
 * @param nodes the beams' trie nodes, [R]; -1 stands for an unused beam.
 */
export async function readTokenScores(
  decoder: CausalDecoder,
  hidden: tf.Tensor2D,
  trie: PrefixTrie,
  nodes: Int32Array,
  { renormalize, vocabTileSize }: TokenScoreOptions,
): Promise<TokenScores> {
  const { vocabSize } = decoder;
  if (!renormalize && vocabSize <= vocabTileSize) {
    const [logits, normalisers] = tf.tidy(() => {
      const projected = decoder.project(hidden); // [R, V]
      return [projected, rowLogSumExp(projected)];
    });
    return { logits: await readAndDispose(logits), numColumns: vocabSize, columnOf: Int32Array.from({ length: vocabSize }, (_, v) => v), logNormalisers: await readAndDispose(normalisers) };
  }
  const { tokens, columnOf } = allowedTokens(trie, nodes, vocabSize);
  const logNormalisers = renormalize ? null : await readAndDispose(streamedLogSumExp(decoder, hidden, vocabTileSize));
  return { logits: await readAndDispose(decoder.project(hidden, tokens)), numColumns: tokens.length, columnOf, logNormalisers };
}

/** The distinct tokens of the nodes' edges, ascending, [U], and the place of each, [V]; linear in the edges. */
export function allowedTokens({ childStart, childToken }: PrefixTrie, nodes: Int32Array, vocabSize: number): { tokens: Int32Array; columnOf: Int32Array } {
  const seen = new Uint8Array(vocabSize);
  const found = new Int32Array(vocabSize);
  let count = 0;
  for (const node of nodes) {
    if (node < 0) continue;
    for (let edge = childStart[node]; edge < childStart[node + 1]; edge++) {
      const token = childToken[edge];
      if (seen[token]) continue;
      seen[token] = 1;
      found[count++] = token;
    }
  }
  const tokens = found.slice(0, count).sort();
  const columnOf = new Int32Array(vocabSize);
  for (let u = 0; u < count; u++) columnOf[tokens[u]] = u;
  return { tokens, columnOf };
}

/** log sum_v exp(logit v) over the vocabulary, [R, 1]: that of the tiles' own. */
function streamedLogSumExp(decoder: CausalDecoder, hidden: tf.Tensor2D, tileSize: number): tf.Tensor2D {
  return tf.tidy(() => {
    const tiles: tf.Tensor2D[] = []; // [R, 1] each
    for (let start = 0; start < decoder.vocabSize; start += tileSize) {
      const ids = Int32Array.from({ length: Math.min(tileSize, decoder.vocabSize - start) }, (_, i) => start + i);
      tiles.push(tf.tidy(() => rowLogSumExp(decoder.project(hidden, ids))));
    }
    return rowLogSumExp(tf.concat2d(tiles, 1));
  });
}

/** log sum exp of each row, [R, C] -> [R, 1]: the largest softmax is 1 / sum exp(z - max), and softmax is fused on every backend where exp is slow on wasm. */
function rowLogSumExp(logits: tf.Tensor2D): tf.Tensor2D {
  return tf.sub(tf.max(logits, 1, true), tf.log(tf.max(tf.softmax(logits), 1, true)));
}
