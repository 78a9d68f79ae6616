import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { calledAs, UnnamedError } from '../errors';
import type { CausalDecoder } from '../generation/decoder';
import type { PrefixTrie } from '../generation/prefix_trie';
import { groupAdvantages, grpoLoss, rankReward } from '../losses';
import { createCausalDecoder } from '../models/causal_lm_decoder';
import type { ItemScorer } from '../models/item_scorer';
import type { PromptHistory } from '../rewards/trie_walk';
import type { TokenRestriction } from '../rewards/valid_items';
import type { TapOptions } from '../taps';
import type { ComparedGroups, GroupOptions } from './compared_groups';
import { GeneratedGroups, type GeneratedGroupsOptions } from './generated_groups';
import { itemGroups } from './item_groups';
import { checkItemOptions, type ItemSoftmaxOptions } from './item_softmax';
import { checkCount } from './preference_pairs';
import { createTappedMethod, refuseUnknown, type TappedMethod } from './tapped_method';

/** Options of `grpo`, for every kind of model. */
export interface GrpoSharedOptions {
  /** G, responses of a group. 2 or more. Default 16. */
  groupSize?: number;
  /**
   * Where groups come from: 'beam', the G best items of the model at that moment, or 'sample', G draws without
   * replacement. Default 'beam', as MiniOneRec has it.
   */
  groups?: 'beam' | 'sample';
  /** tau of 'sample', above 0; scores are divided by it, so that a high one draws more widely. Default 1. */
  temperature?: number;
  /** Seed of the draws; each step has others. Default 0. */
  seed?: number;
  /** beta, weight of the KL term, 0 or more. Default 0.001. */
  klWeight?: number;
  /** Whether misses are punished by their rank, beside the reward of 1 for the target. Default true. */
  rankReward?: boolean;
  /**
   * 'exclude' leaves items of the history out of groups, but for the target; with item tokens out of the softmax, too.
   * Default 'allow'.
   */
  seen?: ItemSoftmaxOptions['seen'];
  /** Label of positions that do not count. Default -100. */
  ignoreIndex?: number;
  /** Where the head is, for models in which it cannot be found. */
  taps?: TapOptions;
}

/** For a model whose tokens are items. */
export interface GrpoItemOptions extends GrpoSharedOptions {
  /** The frozen reference, which is asked at every step: `causalItemScorer` of a copy of the model as it begins. */
  reference: ItemScorer;
}

/** For a model that writes an item in several tokens. */
export interface GrpoTokenOptions extends GrpoSharedOptions {
  /** The frozen reference, which is asked at every step: a copy of the model as it begins. */
  reference: tfl.LayersModel;
  /** The items' token sequences: `buildPrefixTrie` makes it. */
  trie: PrefixTrie;
  /** With `seen`, for text prompts: reads the history from a prompt's tokens. */
  historyOf?: PromptHistory;
  /** Tokens that the softmax of policy and reference is restricted to. Default the whole vocabulary. */
  restrictTo?: TokenRestriction;
  /** Makes the decoder that writes groups. Default `createCausalDecoder`; others take `createModelDecoder`. */
  createDecoder?: (model: tfl.LayersModel) => CausalDecoder;
  /** Fills rows on the right. Default 0. */
  padTokenId?: number;
}

export type GrpoOptions = GrpoItemOptions | GrpoTokenOptions;

/**
 * Makes the method of group relative policy optimisation: the model's own items are compared by a reward that can be
 * verified, whether they are the target (MiniOneRec, arXiv 2510.24431, after Shao et al., arXiv 2402.03300).
 *
 * ```
 * R_i = 1[ y_i = y* ] + rank reward,   A_i = (R_i - mean R) / (std R + 1e-4)
 * L = mean_i (1 / |y_i|) sum_t [ -exp( lp - stopgrad lp ) A_i + beta ( exp(ref - lp) - (ref - lp) - 1 ) ]
 * ```
 * A group without the target has only its KL term. Start from the weights of the reference, a fine-tuned model.
 *
 * **Item tokens**, `causalLM({ items })`: an item is one token, so that one pass over a history makes a group at every
 * position. Batches are those of SFT. Scores of all items exist for a block of positions at a time.
 *
 * **Several tokens**, with `trie`: a row of a batch is a prompt and its target, as `promptBatches` makes them. Before
 * each step the groups are written by constrained beam search, each prompt once for all its G beams, and the reference
 * is asked about them; the step then trains on G rows for each prompt. `trainModel` does so. A loop of your own calls
 * `await method.prepareBatch(batch, model)` and trains on what it returns; for `fitDataset` it is the option `prepare` of
 * `batchDataset`. The same seed and step give the same groups.
 *
 * @param options see `GrpoItemOptions` and `GrpoTokenOptions`.
 * @returns what `compile` and `fit` take, and with `trie` what `trainModel` takes; its metrics are `hitRatio`, the share
 *   of groups that hold the target, and `kl`, the estimate of KL(pi || ref) over the groups.
 * @throws IlrecError on an option out of range, or one that does not exist; in training when fewer than G items may be
 *   listed, a row has no target, or a batch was not prepared.
 * @example
 * ```ts
 * import { AdamW, causalItemScorer, causalLM, createBatches, grpo, trainModel } from 'tfjs-ilrec';
 *
 * const [bosTokenId, padTokenId] = [9, 9]; // nine items, 0 to 8
 * const itemTokens = Array.from({ length: 9 }, (_, item) => [item]);
 * const batches = createBatches({ sequences: [[0, 1, 2], [3, 2]], itemTokens, bosTokenId, padTokenId });
 * const model = () => causalLM({ vocabSize: 9, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, items: {}, seed: 1 });
 * const hits: number[] = [];
 * await trainModel({
 *   model: model(),
 *   method: grpo({ reference: causalItemScorer(model()), groupSize: 4 }),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches,
 *   epochs: 3,
 *   callbacks: [{ onStep: ({ metrics }) => void hits.push(metrics.hitRatio) }],
 * });
 * console.log(hits.length); // 3
 * ```
 * @example
 * ```ts
 * import { AdamW, buildPrefixTrie, causalLM, groupBatches, grpo, trainModel } from 'tfjs-ilrec';
 *
 * const itemTokens = [[3, 5], [3, 6], [4, 5], [4, 6]]; // four items, two tokens each
 * const target = { prompt: [1, 4, 6], responses: [itemTokens[1]] }; // item 1 follows item 3
 * const batches = groupBatches({ numGroups: 1, groupAt: () => target, padTokenId: 0 });
 * const model = () => causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, seed: 1 });
 * const rows: number[] = [];
 * await trainModel({
 *   model: model(),
 *   method: grpo({ reference: model(), trie: buildPrefixTrie(itemTokens), groupSize: 4 }),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches,
 *   epochs: 3,
 *   callbacks: [{ onStep: ({ numResponseTokens }) => void rows.push(numResponseTokens / 2) }],
 * });
 * console.log(rows.join(' ')); // 4 4 4
 * ```
 */
export function grpo(options: GrpoOptions): TappedMethod {
  return calledAs('grpo', () => {
    const inTokens = 'trie' in options && options.trie !== undefined ? options : null;
    checkOptions(options, inTokens !== null);
    const { groupSize = 16, groups = 'beam', temperature = 1, seed = 0, seen, ignoreIndex, taps } = options;
    const { klWeight = 1e-3, rankReward: ranks = true } = options;
    const shared: GroupOptions = { groupSize, groups, temperature, seed, seen };
    const generated = inTokens && new GeneratedGroups('grpo', { ...tokenDefaults(inTokens), ...shared });
    const { method } = createTappedMethod({
      ignoreIndex,
      taps,
      name: 'grpo',
      metrics: ['hitRatio', 'kl'],
      inputIdsReader: inTokens === null ? 'the softmax over items' : inTokens.restrictTo ? 'restrictTo' : null,
      loss: (batch) => {
        const compared = generated?.groupsOf(batch) ?? itemGroups(batch, options.reference as ItemScorer, shared);
        return termsOf(compared, ranks, klWeight);
      },
      onDetach: () => generated?.dispose(),
    });
    if (generated === null) return method;
    const prepareBatch: TappedMethod['prepareBatch'] = (batch, model) => generated.prepare(batch, model, method.step);
    return Object.assign(method, { prepareBatch });
  });
}

function tokenDefaults({
  reference,
  trie,
  historyOf,
  restrictTo,
  createDecoder = createCausalDecoder,
  padTokenId = 0,
  ignoreIndex,
  taps,
}: GrpoTokenOptions): Omit<GeneratedGroupsOptions, keyof GroupOptions> {
  return { reference, trie, historyOf, restrictTo, createDecoder, padTokenId, ignoreIndex, taps };
}

/** The loss of a batch, and its metrics. */
function termsOf(
  { tokens, hits }: ComparedGroups,
  ranks: boolean,
  klWeight: number,
): Record<'total' | 'hitRatio' | 'kl', tf.Tensor> {
  const rewards = ranks ? tf.add<tf.Tensor2D>(hits, rankReward(hits)) : hits; // [Q, G]
  const advantages = tf.reshape(groupAdvantages(rewards), [-1]) as tf.Tensor1D; // [Q * G]
  return {
    total: grpoLoss(tokens, advantages, { klWeight }),
    hitRatio: tf.mean(tf.max(hits, 1)),
    kl: grpoLoss(tokens, tf.zerosLike(advantages), { klWeight: 1 }),
  };
}

const SHARED_OPTIONS = [
  'reference',
  'groupSize',
  'groups',
  'temperature',
  'seed',
  'klWeight',
  'rankReward',
  'seen',
  'ignoreIndex',
  'taps',
] satisfies (keyof GrpoItemOptions)[];
const TOKEN_OPTIONS = [
  'trie',
  'historyOf',
  'restrictTo',
  'createDecoder',
  'padTokenId',
] satisfies (keyof GrpoTokenOptions)[];

function checkOptions(options: GrpoOptions, hasTrie: boolean): void {
  refuseUnknown(options, [...SHARED_OPTIONS, ...TOKEN_OPTIONS]);
  const { reference, groupSize = 16, groups = 'beam', temperature = 1, seed = 0, klWeight = 1e-3, seen } = options;
  const needless = TOKEN_OPTIONS.find((option) => Reflect.get(options, option) !== undefined);
  if (!hasTrie && needless !== undefined)
    throw new UnnamedError(`${needless} is for models that write an item in several tokens, got it without a trie`);
  const asks = hasTrie ? 'predictOnBatch' : 'score';
  if (typeof Reflect.get(Object(reference) as object, asks) !== 'function')
    throw new UnnamedError(
      `reference must be a ${hasTrie ? 'language model' : 'scorer of items'}, got ${String(reference)}`,
    );
  checkCount('groupSize', groupSize, 2);
  if (!['beam', 'sample'].includes(groups))
    throw new UnnamedError(`groups must be 'beam' or 'sample', got '${groups}'`);
  if (!(temperature > 0 && temperature < Infinity))
    throw new UnnamedError(`temperature must be a number above 0, got ${temperature}`);
  if (!Number.isInteger(seed)) throw new UnnamedError(`seed must be a whole number, got ${seed}`);
  if (!(klWeight >= 0)) throw new UnnamedError(`klWeight must be 0 or more, got ${klWeight}`);
  checkItemOptions({ seen });
}
