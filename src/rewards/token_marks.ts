import * as tf from '@tensorflow/tfjs-core';
import type { PrefixTrie } from '../generation/prefix_trie';
import { type ItemScorer, scorePrefixes } from '../models/item_scorer';
import { futureTokens } from './future_tokens';
import { edgeTowards, placesOf } from './trie_places';
import { type PromptHistory, type TokenContext, walkTrie } from './trie_walk';

/** What tells good tokens from others. */
export interface TokenMarksOptions {
  /** The items' token sequences; of one token each where the tokens are items. */
  trie: PrefixTrie;
  /** Tokens after which a row holds another user's items. Default none. */
  separators?: readonly number[];
  /** For text prompts: reads the history. */
  historyOf?: PromptHistory;
  /** For text prompts: the histories that the prompts were made of, item numbers, oldest first. */
  sequences?: readonly ArrayLike<number>[];
  /** For text prompts: how many items a prompt shows at most. Default all. */
  maxHistory?: number;
  /** A recommender whose best items count as liked. Default none. */
  scorer?: ItemScorer;
  /** How many of its best items. Default 50. */
  topItems?: number;
}

/** Tokens of each of the first P' response positions. */
export interface TokenMarks {
  /** Tokens with which an item goes on. */
  readonly valid: readonly (readonly number[])[];
  /** Tokens that lead to an item that the user takes later, the label among them. */
  readonly future: readonly (readonly number[])[];
  /** Tokens that lead to one of the recommender's best items; null without one. */
  readonly liked: readonly (readonly number[])[] | null;
  /** Items of the history. */
  readonly history: readonly (readonly number[])[];
  /** Tokens of the item that come before; -1 where the label continues no item. */
  readonly depths: readonly number[];
}

/** Reads the marks of a batch. @param count P'. */
export type TokenMarksReader = (context: TokenContext, count: number) => TokenMarks;

/** Makes a reader of which tokens are items, may be right, and are liked by another recommender. */
export function tokenMarks({
  scorer,
  topItems = 50,
  separators = [],
  ...options
}: TokenMarksOptions): TokenMarksReader {
  const { trie, historyOf } = options;
  const separatorSet = new Set(separators);
  const readFuture = futureTokens({ ...options, separators, numItems: Number.MAX_SAFE_INTEGER, decay: 1 });
  const places = placesOf(trie);
  const depths = depthsOf(trie);
  return (context, count) => {
    const walk = walkTrie(trie, context, separatorSet, historyOf);
    const nodes = walk.nodes.slice(0, count);
    const rows = walk.rows.slice(0, count);
    const lengths = walk.lengths.slice(0, count);
    const future: number[][] = Array.from(nodes, () => []);
    const found = readFuture(context);
    found.rows.forEach((row, i) => future[row]?.push(found.tokens[i]));
    const best = scorer === undefined ? null : bestItems(scorer, topItems, walk.histories, rows, lengths);
    const tokenTowards = (node: number, item: number): number[] => {
      const edge = node < 0 ? -1 : edgeTowards(trie, node, places[item]);
      return edge < 0 ? [] : [trie.childToken[edge]];
    };
    return {
      valid: Array.from(nodes, (node) =>
        node < 0 ? [] : Array.from(trie.childToken.subarray(trie.childStart[node], trie.childStart[node + 1])),
      ),
      future,
      liked: best && Array.from(nodes, (node, p) => best[p].flatMap((item) => tokenTowards(node, item))),
      history: Array.from(rows, (row, p) => walk.histories[row].slice(0, lengths[p])),
      depths: Array.from(nodes, (node) => (node < 0 ? -1 : depths[node])),
    };
  };
}

/** The best items after each history, [P'] of k. */
function bestItems(
  scorer: ItemScorer,
  topItems: number,
  histories: readonly number[][],
  rows: Int32Array,
  lengths: Int32Array,
): number[][] {
  const k = Math.min(topItems, scorer.numItems);
  const scores = scorePrefixes(scorer, histories, rows, lengths); // [P', N]
  const items = tf.tidy(() => tf.topk(scores, k).indices.dataSync<'int32'>()); // [P', k]
  scores.dispose();
  return Array.from(rows, (_, p) => Array.from(items.subarray(p * k, (p + 1) * k)));
}

/** Tokens before each node. */
function depthsOf({ numNodes, childStart }: PrefixTrie): Int32Array {
  const depths = new Int32Array(numNodes);
  for (let node = 0; node < numNodes; node++)
    for (let edge = childStart[node]; edge < childStart[node + 1]; edge++) depths[edge + 1] = depths[node] + 1;
  return depths;
}
