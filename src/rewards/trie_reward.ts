import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import type { PrefixTrie } from '../generation/prefix_trie';
import { type ItemScorer, scorePrefixes } from '../models/item_scorer';
import { withoutTape } from '../ops/without_tape';
import { planSums, type SumPlan } from './trie_sums';
import { type PromptHistory, walkTrie } from './trie_walk';
import type { Reward, RewardContext, RewardEntries } from '../losses/reward';

/** Options of `trieReward`. */
export interface TrieRewardOptions {
  /** The frozen recommender that gives p_CF, such as `markovScorer` or `sasrecScorer` makes. */
  scorer: ItemScorer;
  /** The trie of the items' token sequences, of the same catalogue as the scorer. */
  trie: PrefixTrie;
  /** p_CF = softmax(score / temperature); above 0, below 1 sharpens. Default 1. */
  temperature?: number;
  /**
   * Tokens after which a row holds another user's items, so a new history starts. Default none: a row belongs to one
   * user.
   */
  separators?: readonly number[];
  /**
   * Reads the history of a text prompt, for example an item language's `historyOf`. The tokens before the response are
   * then not read as items. A row whose prompt has no history gets no reward. Default: the whole row is read as items.
   */
  historyOf?: PromptHistory;
}

/**
 * Up to this many entries (16 MB) the first level is summed by a product with an indicator matrix: faster and more
 * exact than a cumulative sum.
 */
const MAX_INDICATOR_SIZE = 1 << 22;

/**
 * Makes the collaborative reward of ILRec (arXiv 2602.17410): the probability that a recommender gives each next token.
 *
 * ```
 * c(v | prefix) = sum of p_CF(i) over items i that continue prefix + v  /  sum over all children of the prefix
 * ```
 * History and prefix are read from the input tokens, or the history by `historyOf`. A row of zeros stands where the
 * label does not continue an item (end of sequence, text). A node's items are a range of `trie.itemOrder`, so the mass
 * of a child is the difference of two cumulative sums. Each node sums only its own range, which keeps the precision of
 * unlikely prefixes.
 *
 * @param options scorer, trie, temperature and how rows are read; see `TrieRewardOptions`.
 * @returns a reward for `ilrec({ reward })`: masses [P, V] on the device, or their entries alone. No gradient flows
 *   through it. p_CF is computed once per history and number of known items.
 * @throws IlrecError when `temperature` is not above 0, or scorer and trie have different numbers of items. The reward
 *   throws one when a token of the trie is not in the vocabulary.
 * @example
 * ```ts
 * import { buildPrefixTrie, popularityScorer, trieReward } from 'tfjs-ilrec';
 *
 * const scorer = popularityScorer([[0, 1, 2], [0, 2, 0]], 3);
 * const reward = trieReward({ scorer, trie: buildPrefixTrie([[3, 5], [3, 6], [4, 5]]) }); // for ilrec({ reward })
 *
 * // One row: the start token and the first token of item 0. The label is the second token of item 0.
 * const masses = reward({
 *   inputIds: Int32Array.of(1, 3),
 *   labels: Int32Array.of(-100, 5),
 *   batchSize: 1,
 *   sequenceLength: 2,
 *   positions: Int32Array.of(1),
 *   vocabSize: 7,
 * });
 * console.log(masses.shape); // [ 1, 7 ]
 * console.log(Array.from(masses.dataSync(), (mass) => mass.toFixed(2)).join(' ')); // 0.00 0.00 0.00 0.00 0.00 0.67 0.33
 * ```
 */
export function trieReward({ scorer, trie, temperature = 1, separators = [], historyOf }: TrieRewardOptions): Reward {
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new IlrecError(`trieReward: temperature must be above 0, got ${temperature}; 1 is the default`);
  if (scorer.numItems !== trie.numItems) {
    throw new IlrecError(
      `trieReward: scorer and trie must have the same catalogue, got ${scorer.numItems} items in ` +
        `"${scorer.name}" and ${trie.numItems} in the trie`,
    );
  }
  const maxToken = trie.childToken.reduce((max, token) => Math.max(max, token), 0);
  const rootIndicator = indicatorOfFirstTokens(trie);
  const separatorSet = new Set(separators);

  const planOf = (context: RewardContext): { plan: SumPlan; masses: () => tf.Tensor1D } => {
    if (maxToken >= context.vocabSize)
      throw new IlrecError(
        `trieReward: the trie's tokens must be below the vocabulary size ${context.vocabSize}, got ${maxToken}; ` +
          'build trie and model from the same tokenizer',
      );
    const walk = walkTrie(trie, context, separatorSet, historyOf);
    const plan = planSums(trie, walk);
    const masses = (): tf.Tensor1D => {
      const parts: tf.Tensor1D[] = [];
      if (plan.scoreRows.length > 0) {
        const scores = scorePrefixes(scorer, walk.histories, plan.scoreRows, plan.scoreLengths); // [R, N]
        const scaled = temperature === 1 ? scores : (tf.mul(scores, 1 / temperature) as tf.Tensor2D); // [R, N]
        if (plan.rootEntries.length > 0) parts.push(rootMasses(scaled, plan, trie, rootIndicator));
        if (plan.buckets.length > 0) parts.push(rangeMasses(scaled, plan));
      }
      if (plan.numCertain > 0) parts.push(tf.ones([plan.numCertain]));
      return tf.concat(parts);
    };
    return { plan, masses };
  };

  const reward = (context: RewardContext): tf.Tensor2D => {
    const { plan, masses } = planOf(context);
    const shape: [number, number] = [context.positions.length, context.vocabSize];
    if (plan.targets.length === 0) return tf.zeros(shape);
    return withoutTape(
      () =>
        tf.scatterND(tf.tensor2d(plan.targets, [plan.targets.length / 2, 2], 'int32'), masses(), shape) as tf.Tensor2D,
    );
  };
  const entries = (context: RewardContext): RewardEntries => {
    const {
      plan: { targets },
      masses,
    } = planOf(context);
    const column = (offset: number): Int32Array =>
      Int32Array.from({ length: targets.length / 2 }, (_, i) => targets[2 * i + offset]);
    return { rows: column(0), tokens: column(1), masses: targets.length === 0 ? tf.tensor1d([]) : withoutTape(masses) };
  };
  return Object.assign(reward, { entries });
}

/** Masses of the root's children, for all positions at the root, [root entries]. */
function rootMasses(scores: tf.Tensor2D, plan: SumPlan, trie: PrefixTrie, indicator: Float32Array | null): tf.Tensor1D {
  const { numItems, childStart, itemHigh, itemOrder } = trie;
  const numChildren = childStart[1];
  const probabilities = tf.softmax(tf.slice(scores, [0, 0], [plan.numRootRows, numItems])); // [R0, N]
  if (indicator !== null) {
    const masses = tf.matMul(probabilities, tf.tensor2d(indicator, [numItems, numChildren])); // [R0, C]
    return tf.gather(tf.reshape(masses, [-1]), plan.rootEntries);
  }
  const sums = tf.cumsum(tf.gather(probabilities, itemOrder, 1), 1); // [R0, N]
  const ends = tf.gather(
    sums,
    itemHigh.slice(1, numChildren + 1).map((high) => high - 1),
    1,
  ); // [R0, C]
  const starts = tf.pad(tf.slice(ends, [0, 0], [plan.numRootRows, numChildren - 1]), [
    [0, 0],
    [1, 0],
  ]); // [R0, C]
  return tf.gather(tf.reshape(tf.sub(ends, starts), [-1]), plan.rootEntries);
}

/** Masses of the children of all other nodes, by cumulative sums within each node's range, [entries]. */
function rangeMasses(scores: tf.Tensor2D, plan: SumPlan): tf.Tensor1D {
  const flat = tf.reshape(scores, [-1]); // [R * N]
  const masses = plan.buckets.map(({ width, indices, starts, ends, totals }) => {
    const ranges = tf.reshape(tf.gather(flat, indices), [-1, width]); // [G, width]
    const sums = tf.reshape(tf.cumsum(tf.softmax(ranges), 1, true), [-1]); // [G * width], exclusive
    return tf.div(tf.sub(tf.gather(sums, ends), tf.gather(sums, starts)), tf.gather(sums, totals)) as tf.Tensor1D;
  });
  return tf.concat(masses);
}

/** 1 if an item (row) starts with the root's child (column), [N, C]; null if the matrix would be too large. */
function indicatorOfFirstTokens(trie: PrefixTrie): Float32Array | null {
  const numChildren = trie.childStart[1];
  if (trie.numItems * numChildren > MAX_INDICATOR_SIZE) return null;
  const indicator = new Float32Array(trie.numItems * numChildren);
  for (let edge = 0; edge < numChildren; edge++) {
    for (let i = trie.itemLow[edge + 1]; i < trie.itemHigh[edge + 1]; i++)
      indicator[trie.itemOrder[i] * numChildren + edge] = 1;
  }
  return indicator;
}
