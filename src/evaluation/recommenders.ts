import { IlrecError } from '../errors';
import { constrainedBeamSearch } from '../generation/constrained_beam_search';
import type { CausalDecoder } from '../generation/decoder';
import { historyPrompt, type PromptTokenizer } from '../generation/history_prompt';
import { itemNumberTies, popularityTies } from '../generation/item_ties';
import type { PrefixTrie } from '../generation/prefix_trie';
import { TopK } from '../generation/top_k';
import type { ItemScorer } from '../models/item_scorer';
import { type Fusion, fusedBeamSearch, fusedScorer, fusionText } from './fusion';
import type { RankingProtocol } from './protocol';

/** Makes ranked lists for users, and states how. Spread it into the options of `evaluateRecommender`. */
export interface Recommender {
  /**
   * Recommends items.
   *
   * @param users user numbers, [B].
   * @returns item numbers for each user, best first, [B].
   */
  recommend(users: readonly number[]): Promise<ArrayLike<number>[]>;
  /** N, items in the catalogue. */
  readonly numItems: number;
  /** How the lists are made. */
  readonly ranking: RankingProtocol;
  /** The cost of a user, such as the length of the history. Users of similar cost share a batch. */
  costOf?(user: number): number;
}

interface HistoryOptions {
  /** Item numbers before the target, oldest first, [users]. */
  histories: readonly ArrayLike<number>[];
  /** Newest items of the history that the model sees, 1 or more. Default all. */
  maxHistory?: number;
  /** Leaves items of the whole history out of the list. Default false: people buy things again. */
  excludeSeen?: boolean;
  /** Items per list, 1 or more. Default 20. */
  listLength?: number;
}

/** Options of `beamSearchRecommender`. */
export interface BeamSearchRecommenderOptions extends HistoryOptions {
  /** The model: `createCausalDecoder` or `createModelDecoder` makes it. */
  decoder: CausalDecoder;
  /** The items' token sequences: `buildPrefixTrie` makes it. */
  trie: PrefixTrie;
  /** Writes the prompts with `historyPrompt`. Required unless `prompt` is given. */
  tokenizer?: PromptTokenizer;
  /**
   * Writes the prompt of a history instead of `tokenizer`, for example an item language's. It applies its own limit to
   * the history.
   */
  prompt?: (history: ArrayLike<number>) => ArrayLike<number>;
  /** Partial sequences kept per user and step, 1 or more. Default 20. */
  beamWidth?: number;
  /**
   * Items that each list must hold where the catalogue has them, 1 or more: a narrower beam is widened to it, and the
   * protocol says so. Default 1.
   */
  leastItems?: number;
  /** As in `constrainedBeamSearch`. Default false. */
  renormalize?: boolean;
  /**
   * Training interactions of each item, [N]: items that share a token sequence are ranked by it. Default: by item
   * number.
   */
  itemCounts?: ArrayLike<number>;
  /** Another model whose scores count beside the language model's. Default none. */
  fusion?: Fusion;
  /** As in `constrainedBeamSearch`. */
  vocabTileSize?: number;
}

/**
 * Makes a recommender of a causal language model, which writes the tokens of the next item by constrained beam search.
 *
 * @param options model, trie, prompts and histories; see `BeamSearchRecommenderOptions`.
 * @returns a recommender for `evaluateRecommender`. Its `recommend` rejects as `constrainedBeamSearch` does.
 * @throws IlrecError when neither `tokenizer` nor `prompt` is given, or `beamWidth` or `leastItems` is out of range.
 * @example
 * ```ts
 * import { beamSearchRecommender, buildPrefixTrie, causalLM, createCausalDecoder } from 'tfjs-ilrec';
 *
 * const itemTokens = [[3, 5], [3, 6], [4, 5]]; // three items, two tokens each
 * const recommender = beamSearchRecommender({
 *   decoder: createCausalDecoder(causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 2 })),
 *   trie: buildPrefixTrie(itemTokens),
 *   tokenizer: { bosTokenId: 1, itemTokens },
 *   histories: [[0, 2]],
 *   excludeSeen: true,
 * });
 * console.log(await recommender.recommend([0])); // [ Int32Array(1) [ 1 ] ]
 * ```
 */
export function beamSearchRecommender({
  decoder,
  trie,
  maxHistory,
  tokenizer,
  prompt = tokenizer && ((history) => historyPrompt(tokenizer, history, maxHistory)),
  histories,
  excludeSeen = false,
  beamWidth: askedBeamWidth = 20,
  leastItems = 1,
  listLength = 20,
  renormalize = false,
  itemCounts,
  fusion,
  vocabTileSize,
}: BeamSearchRecommenderOptions): Recommender {
  if (prompt === undefined)
    throw new IlrecError(
      'beamSearchRecommender: tokenizer or prompt must be given, got neither; give the tokenizer of the model',
    );
  for (const [name, value] of Object.entries({ beamWidth: askedBeamWidth, leastItems }))
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`beamSearchRecommender: ${name} must be an integer of at least 1, got ${value}`);
  const beamWidth = widenedBeams(askedBeamWidth, leastItems, trie.numItems);
  const rankTies = itemCounts ? popularityTies(itemCounts) : itemNumberTies;
  return {
    numItems: trie.numItems,
    ranking: {
      ranking: `constrained beam search over the item trie${fusion ? fusionText(fusion) : ''}`,
      numItems: trie.numItems,
      beamWidth,
      ...(beamWidth > askedBeamWidth && { askedBeamWidth }),
      renormalize,
      listLength,
      maxHistory: maxHistory ?? null,
      excludeSeen,
      tieRule:
        'of equal scores the shorter sequence, then the lower token; of items that share a sequence ' +
        (itemCounts ? 'the one with more training interactions, then the lower item number' : 'the lower item number'),
    },
    costOf: (user) => Math.min(histories[user].length, maxHistory ?? Infinity),
    async recommend(users) {
      const prompts = users.map((user) => prompt(histories[user]));
      const exclude = excludeSeen ? users.map((user) => new Set(Array.from(histories[user]))) : [];
      const options = { beamWidth, listLength, renormalize, rankTies, exclude, vocabTileSize };
      const shown = users.map((user) => newest(histories[user], maxHistory));
      const ranked = fusion
        ? await fusedBeamSearch(decoder, trie, prompts, shown, fusion, options)
        : await constrainedBeamSearch(decoder, trie, prompts, options);
      return ranked.map(({ items }) => items);
    },
  };
}

/**
 * Beams that are enough for lists of so many items, or for all items of a smaller catalogue: each beam leads to an item.
 */
export function widenedBeams(beamWidth: number, leastItems: number, numItems: number): number {
  return Math.max(beamWidth, Math.min(leastItems, numItems));
}

/** Options of `scorerRecommender`. */
export interface ScorerRecommenderOptions extends HistoryOptions {
  /** The model, such as `markovScorer`, `popularityScorer` or `sasrecScorer` makes. */
  scorer: ItemScorer;
  /** Another model whose scores count beside the model's. Default none. */
  fusion?: Fusion;
}

/**
 * Makes a recommender of a model that scores every item. The whole catalogue is ranked; equal scores are ordered by
 * item number.
 *
 * @param options scorer and histories; see `ScorerRecommenderOptions`.
 * @returns a recommender for `evaluateRecommender`. Its `recommend` rejects with an IlrecError when a score is NaN.
 * @throws IlrecError when the weight of `fusion` is out of range, or its model has another catalogue.
 * @example
 * ```ts
 * import { popularityScorer, scorerRecommender } from 'tfjs-ilrec';
 *
 * const histories = [[2, 0], [2, 1, 2]];
 * const scorer = popularityScorer(histories, 4); // four items
 * const recommender = scorerRecommender({ scorer, histories, excludeSeen: true, listLength: 2 });
 * console.log(await recommender.recommend([0, 1])); // [ Int32Array(2) [ 1, 3 ], Int32Array(2) [ 0, 3 ] ]
 * ```
 */
export function scorerRecommender({
  scorer: own,
  fusion,
  histories,
  maxHistory,
  excludeSeen = false,
  listLength = 20,
}: ScorerRecommenderOptions): Recommender {
  const scorer = fusion ? fusedScorer(own, fusion) : own;
  const { numItems } = scorer;
  const best = new TopK(Math.min(listLength, numItems));
  return {
    numItems,
    ranking: {
      ranking: `the scores of ${scorer.name}`,
      numItems,
      beamWidth: null,
      renormalize: null,
      listLength,
      maxHistory: maxHistory ?? null,
      excludeSeen,
      tieRule: 'of equal scores the lower item number',
    },
    costOf: (user) => Math.min(histories[user].length, maxHistory ?? Infinity),
    async recommend(users) {
      const tensor = scorer.score(users.map((user) => newest(histories[user], maxHistory))); // [R, N]
      const scores = await tensor.data().finally(() => tensor.dispose());
      return users.map((user, row) => {
        const seen = excludeSeen ? new Set(Array.from(histories[user])) : null;
        for (let item = 0; item < numItems; item++) {
          const score = scores[row * numItems + item];
          if (Number.isNaN(score))
            throw new IlrecError(
              `scorerRecommender: scores must be numbers, got NaN from ${scorer.name} for item ${item}; its ` +
                'weights have diverged',
            );
          if (best.accepts(score, item) && !seen?.has(item)) best.offer(score, item);
        }
        const items = new Int32Array(best.size);
        best.drain((rank, _, item) => (items[rank] = item));
        return items;
      });
    },
  };
}

function newest(history: ArrayLike<number>, maxHistory = Infinity): ArrayLike<number> {
  return history.length <= maxHistory ? history : Int32Array.from(history).slice(history.length - maxHistory);
}
