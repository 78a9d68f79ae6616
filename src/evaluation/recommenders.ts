import { IlrecError } from '../errors';
import { constrainedBeamSearch } from '../generation/constrained_beam_search';
import type { CausalDecoder } from '../generation/decoder';
import { historyPrompt, type PromptTokenizer } from '../generation/history_prompt';
import { itemNumberTies, popularityTies } from '../generation/item_ties';
import type { PrefixTrie } from '../generation/prefix_trie';
import { TopK } from '../generation/top_k';
import type { ItemScorer } from '../models/item_scorer';
import type { RankingProtocol } from './protocol';

/** Makes ranked lists for users by number, and says how. Spread it into `evaluateRecommender`'s options. */
export interface Recommender {
  /** Item numbers for each of the users, best first. */
  recommend(users: readonly number[]): Promise<ArrayLike<number>[]>;
  readonly numItems: number;
  readonly ranking: RankingProtocol;
  /** The cost of a user, so that users of like cost share a batch. */
  costOf?(user: number): number;
}

interface HistoryOptions {
  /** Items before the target, oldest first, [users]. */
  histories: readonly ArrayLike<number>[];
  /** Newest items that the model sees; default all. */
  maxHistory?: number;
  /** Leaves items of the whole history out of the list; default false: people do buy again. */
  excludeSeen?: boolean;
  /** Items per list; default 20. */
  listLength?: number;
}

export interface BeamSearchRecommenderOptions extends HistoryOptions {
  decoder: CausalDecoder;
  trie: PrefixTrie;
  /** Writes the prompts, as `historyPrompt` does; left out where `prompt` is given. */
  tokenizer?: PromptTokenizer;
  /** The prompt that asks for the item after a history, such as an item language's; it cuts the history itself. */
  prompt?: (history: ArrayLike<number>) => ArrayLike<number>;
  /** Default 20. */
  beamWidth?: number;
  /** Default false; see `constrainedBeamSearch`. */
  renormalize?: boolean;
  /** Training interactions of each item, [N]: of the items behind one token sequence the more popular is ahead. Default: the lower item number is. */
  itemCounts?: ArrayLike<number>;
  /** Default 8192; see `constrainedBeamSearch`. */
  vocabTileSize?: number;
}

/** A causal LM that writes the next item's tokens: constrained beam search from the prompt of each user's history. */
export function beamSearchRecommender({
  decoder,
  trie,
  maxHistory,
  tokenizer,
  prompt = tokenizer && ((history) => historyPrompt(tokenizer, history, maxHistory)),
  histories,
  excludeSeen = false,
  beamWidth = 20,
  listLength = 20,
  renormalize = false,
  itemCounts,
  vocabTileSize,
}: BeamSearchRecommenderOptions): Recommender {
  if (prompt === undefined)
    throw new IlrecError(
      'beamSearchRecommender: tokenizer or prompt must be given, got neither; give the tokenizer that the model was trained with',
    );
  const rankTies = itemCounts ? popularityTies(itemCounts) : itemNumberTies;
  return {
    numItems: trie.numItems,
    ranking: {
      ranking: 'constrained beam search over the item trie',
      numItems: trie.numItems,
      beamWidth,
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
      const ranked = await constrainedBeamSearch(decoder, trie, prompts, {
        beamWidth,
        numItems: listLength,
        renormalize,
        rankTies,
        exclude,
        vocabTileSize,
      });
      return ranked.map(({ items }) => items);
    },
  };
}

export interface ScorerRecommenderOptions extends HistoryOptions {
  scorer: ItemScorer;
}

/** A model that scores every item: the whole catalogue is ranked, equal scores by item number. */
export function scorerRecommender({
  scorer,
  histories,
  maxHistory,
  excludeSeen = false,
  listLength = 20,
}: ScorerRecommenderOptions): Recommender {
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
              `scorerRecommender: scores must be numbers, ${scorer.name} got NaN for item ${item}; its weights have diverged`,
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
