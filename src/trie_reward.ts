import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from './errors';
import type { PrefixTrie } from './generation/prefix_trie';
import { type ItemScorer, scorePrefixes } from './models/item_scorer';
import { withoutTape } from './ops/without_tape';
import { walkTrie } from './trie_walk';
import type { Reward } from './types';

export interface TrieRewardOptions {
  /** The frozen recommender that gives p_CF. */
  scorer: ItemScorer;
  /** The trie of the items' token sequences, of the same catalogue. */
  trie: PrefixTrie;
  /** p_CF = softmax(score / temperature), above 0; below 1 sharpens. Default 1. */
  temperature?: number;
  /** Tokens after which a row holds another user's items, so that the history starts anew. Default none: a row is one user's. */
  separators?: readonly number[];
}

/** Above this many entries (16 MB) the first level is summed like every other, not by a product with an indicator matrix. */
const MAX_INDICATOR_SIZE = 1 << 22;

/**
 * The collaborative reward of ILRec (arXiv 2602.17410): how much a recommender believes in each next token.
 *
 * ```
 * c(v | prefix) = sum of p_CF(i) over items i that continue prefix + v  /  sum over all children of the prefix
 * ```
 * History and prefix are read from the input tokens (see `walkTrie`). A node's items are a range of `trie.itemOrder`, so a child's mass is
 * the difference of two cumulative sums; each node sums its own range only, which keeps the digits of unlikely prefixes. A position whose
 * label goes on with no item (end of sequence, text) has a row of zeros.
 *
 * @returns a reward for `ilrec({ reward })`: [P, V] on the device, off the tape; p_CF is made once per row and item.
 * @throws IlrecError when the temperature is not above 0 or scorer and trie differ in their number of items; the reward throws one when the
 *   trie's tokens do not fit the vocabulary.
 */
export function trieReward({ scorer, trie, temperature = 1, separators = [] }: TrieRewardOptions): Reward {
  if (!(temperature > 0 && Number.isFinite(temperature))) throw new IlrecError(`trieReward: temperature must be above 0, got ${temperature}`);
  if (scorer.numItems !== trie.numItems) {
    throw new IlrecError(
      `trieReward: scorer and trie must be of the same catalogue, got ${scorer.numItems} items in "${scorer.name}" and ${trie.numItems} in the trie`,
    );
  }
  const maxToken = trie.childToken.reduce((max, token) => Math.max(max, token), 0);
  const rootIndicator = indicatorOfFirstTokens(trie);
  const separatorSet = new Set(separators);

  return (context) => {
    const { positions, vocabSize } = context;
    if (maxToken >= vocabSize) throw new IlrecError(`trieReward: the trie's tokens must be below the vocabulary size ${vocabSize}, got ${maxToken}`);
    const shape: [number, number] = [positions.length, vocabSize];
    const walk = walkTrie(trie, context, separatorSet);
    const plan = planSums(trie, walk.rows, walk.lengths, walk.nodes, rootIndicator !== null);
    if (plan.tokens.length === 0) return tf.zeros(shape);

    return withoutTape(() => {
      const masses: tf.Tensor1D[] = [];
      if (plan.scoreRows.length > 0) {
        const scores = scorePrefixes(scorer, walk.histories, plan.scoreRows, plan.scoreLengths); // [R, N]
        const scaled = temperature === 1 ? scores : (tf.mul(scores, 1 / temperature) as tf.Tensor2D); // [R, N]
        if (plan.rootEntries.length > 0) masses.push(rootMasses(scaled, plan, rootIndicator as Float32Array));
        if (plan.buckets.length > 0) masses.push(rangeMasses(scaled, plan));
      }
      if (plan.numCertain > 0) masses.push(tf.ones([plan.numCertain]));
      return tf.scatterND(tf.tensor2d(plan.tokens, [plan.tokens.length / 2, 2], 'int32'), tf.concat(masses), shape) as tf.Tensor2D;
    });
  };
}

/** All ranges that fit one width, side by side: gathers of scores with a width of its own each. */
interface Bucket {
  readonly width: number;
  /** Flat indices into the scores [R * N], [G * width]; what is over repeats the range's last item. */
  readonly indices: number[];
  /** Of each child in the bucket: where its range begins and ends, and where its node's range ends, in the bucket's sums [G * width]. */
  readonly starts: number[];
  readonly ends: number[];
  readonly totals: number[];
  readonly targets: number[];
}

/** What is to be summed, and where it goes. */
interface SumPlan {
  /** History and its known length of each row of scores, [R]; rows for the root come first. */
  readonly scoreRows: Int32Array;
  readonly scoreLengths: Int32Array;
  readonly numRootRows: number;
  /** Flat indices into the root's masses [numRootRows * C], one per child of each root position. */
  readonly rootEntries: Int32Array;
  readonly buckets: readonly Bucket[];
  /** Number of positions with a single child, whose mass is 1 whatever the scores. */
  readonly numCertain: number;
  /** Position and token of each mass, [K, 2]: the root's, the buckets' in order, the certain ones. */
  readonly tokens: Int32Array;
}

function planSums(trie: PrefixTrie, rows: Int32Array, lengths: Int32Array, nodes: Int32Array, rootApart: boolean): SumPlan {
  const { childStart, childToken, itemLow, itemHigh, terminalHigh, itemOrder, numItems } = trie;
  const scoreRows: number[] = [];
  const scoreLengths: number[] = [];
  const known = new Map<number, number>();
  const maxLength = lengths.reduce((max, length) => Math.max(max, length), 0) + 1;
  const scoreRowOf = (p: number): number => {
    const key = rows[p] * maxLength + lengths[p];
    let row = known.get(key);
    if (row === undefined) {
      known.set(key, (row = scoreRows.length));
      scoreRows.push(rows[p]);
      scoreLengths.push(lengths[p]);
    }
    return row;
  };

  const numChildren = (node: number): number => childStart[node + 1] - childStart[node];
  const atRoot = (p: number): boolean => rootApart && nodes[p] === 0 && numChildren(0) > 1;
  const rootEntries: number[] = [];
  const rootTargets: number[] = [];
  nodes.forEach((_node, p) => {
    if (!atRoot(p)) return;
    const row = scoreRowOf(p);
    for (let edge = 0; edge < numChildren(0); edge++) {
      rootEntries.push(row * numChildren(0) + edge);
      rootTargets.push(p, childToken[edge]);
    }
  });
  const numRootRows = scoreRows.length;

  const buckets = new Map<number, Bucket>();
  const certain: number[] = [];
  nodes.forEach((node, p) => {
    if (node < 0 || atRoot(p)) return;
    const [first, last] = [childStart[node], childStart[node + 1]];
    if (last - first === 1) {
      certain.push(p, childToken[first]);
      return;
    }
    const low = terminalHigh[node];
    const size = itemHigh[node] - low;
    const width = 2 ** Math.ceil(Math.log2(size + 1)); // one more than the range, so that its exclusive sum is there too
    let bucket = buckets.get(width);
    if (bucket === undefined) buckets.set(width, (bucket = { width, indices: [], starts: [], ends: [], totals: [], targets: [] }));
    const at = bucket.indices.length;
    const offset = scoreRowOf(p) * numItems;
    for (let i = 0; i < width; i++) bucket.indices.push(offset + itemOrder[low + Math.min(i, size - 1)]);
    for (let edge = first; edge < last; edge++) {
      bucket.starts.push(at + itemLow[edge + 1] - low);
      bucket.ends.push(at + itemHigh[edge + 1] - low);
      bucket.totals.push(at + size);
      bucket.targets.push(p, childToken[edge]);
    }
  });

  const ordered = [...buckets.values()];
  return {
    scoreRows: Int32Array.from(scoreRows),
    scoreLengths: Int32Array.from(scoreLengths),
    numRootRows,
    rootEntries: Int32Array.from(rootEntries),
    buckets: ordered,
    numCertain: certain.length / 2,
    tokens: Int32Array.from([rootTargets, ...ordered.map((bucket) => bucket.targets), certain].flat()),
  };
}

/** Masses of the root's children, one product of p_CF with the indicator of first tokens for all root positions; [number of root entries]. */
function rootMasses(scores: tf.Tensor2D, plan: SumPlan, indicator: Float32Array): tf.Tensor1D {
  const numItems = scores.shape[1];
  const probabilities = tf.softmax(tf.slice(scores, [0, 0], [plan.numRootRows, numItems])); // [R0, N]
  const masses = tf.matMul(probabilities, tf.tensor2d(indicator, [numItems, indicator.length / numItems])); // [R0, C]
  return tf.gather(tf.reshape(masses, [-1]), plan.rootEntries);
}

/** Masses of the children of all other nodes, from cumulative sums within each node's range; [number of entries]. */
function rangeMasses(scores: tf.Tensor2D, plan: SumPlan): tf.Tensor1D {
  const flat = tf.reshape(scores, [-1]); // [R * N]
  const masses = plan.buckets.map(({ width, indices, starts, ends, totals }) => {
    const ranges = tf.reshape(tf.gather(flat, Int32Array.from(indices)), [-1, width]); // [G, width]
    const sums = tf.reshape(tf.cumsum(tf.softmax(ranges), 1, true), [-1]); // [G * width], exclusive
    const mass = tf.sub(tf.gather(sums, Int32Array.from(ends)), tf.gather(sums, Int32Array.from(starts)));
    return tf.div(mass, tf.gather(sums, Int32Array.from(totals))) as tf.Tensor1D;
  });
  return tf.concat(masses);
}

/** 1 where an item (row) starts with the root's child (column), [N, C]; null where that would be too large. */
function indicatorOfFirstTokens(trie: PrefixTrie): Float32Array | null {
  const numChildren = trie.childStart[1];
  if (trie.numItems * numChildren > MAX_INDICATOR_SIZE) return null;
  const indicator = new Float32Array(trie.numItems * numChildren);
  for (let edge = 0; edge < numChildren; edge++) {
    for (let i = trie.itemLow[edge + 1]; i < trie.itemHigh[edge + 1]; i++) indicator[trie.itemOrder[i] * numChildren + edge] = 1;
  }
  return indicator;
}
