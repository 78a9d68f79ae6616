import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { beamSearchRecommender, scorerRecommender, widenedBeams } from '../evaluation/recommenders';
import { fusedBeamSearch, fusedScorer } from '../evaluation/fusion';
import { LARGEST_CUTOFF } from '../evaluation/metrics';
import { constrainedBeamSearch } from '../generation/constrained_beam_search';
import type { CausalDecoder } from '../generation/decoder';
import { popularityTies } from '../generation/item_ties';
import { TopK } from '../generation/top_k';
import { createCausalDecoder } from '../models/causal_lm_decoder';
import type { ItemScorer } from '../models/item_scorer';
import type { ItemCode } from './item_code';
import type { AskedModel, ScoredItem } from './method';
import { stateVectors } from './item_vectors';

/** All of an `AskedModel` but `dispose`, which the model's owner adds. */
export type Lists = Omit<AskedModel, 'dispose'>;

/** Options of `scorerLists`. */
export interface ScorerListsOptions {
  /** Newest items of a history that the model sees. Default all. */
  maxHistory?: number;
  /** The model's vectors of all items, [N, D] flat, for `similar`. Default none. */
  itemVectors?: () => Promise<Float32Array>;
}

/**
 * Makes lists with a model that scores every item: the whole catalogue is ranked, equal scores by item number.
 *
 * @param scorer the model.
 * @param options see `ScorerListsOptions`.
 * @returns everything of an `AskedModel` but `dispose`.
 * @example
 * ```ts
 * import { popularityScorer } from 'tfjs-ilrec';
 * import { scorerLists } from 'tfjs-ilrec/node';
 *
 * const { rank } = scorerLists(popularityScorer([[0, 1], [1]], 3));
 * const list = await rank([0], { k: 2, exclude: new Set([0]), beamWidth: 1, renormalize: false, batchSize: 1 });
 * console.log(list.map(({ item }) => item)); // [ 1, 2 ]
 * ```
 */
export function scorerLists(scorer: ItemScorer, { maxHistory, itemVectors }: ScorerListsOptions = {}): Lists {
  const rankBatch: Lists['rankBatch'] = async (histories, { k, exclude, fusion }) => {
    const asked = fusion === undefined ? scorer : fusedScorer(scorer, fusion);
    const tensor = asked.score(histories.map((history) => newest(history, maxHistory))); // [R, N]
    const scores = await tensor.data().finally(() => tensor.dispose());
    if (scores.some(Number.isNaN))
      throw new IlrecError(`recommend: scores must be numbers, ${asked.name} got NaN; its weights have diverged`);
    const { numItems } = asked;
    return histories.map((_, row) => bestOf(scores.subarray(row * numItems, (row + 1) * numItems), k, exclude[row]));
  };
  return {
    scorer,
    languageModel: null,
    code: null,
    itemVectors,
    recommender: (histories, { seen, fusion }) =>
      scorerRecommender({ scorer, histories, maxHistory, excludeSeen: seen === 'exclude', fusion }),
    rank: async (history, options) => (await rankBatch([history], { ...options, exclude: [options.exclude] }))[0],
    rankBatch,
  };
}

/** The k items of the highest scores, with their shares of the softmax over all that are not excluded. */
function bestOf(scores: ArrayLike<number>, k: number, exclude: ReadonlySet<number>): ScoredItem[] {
  const best = new TopK(Math.min(k, scores.length));
  let highest = -Infinity;
  for (let item = 0; item < scores.length; item++) if (!exclude.has(item)) highest = Math.max(highest, scores[item]);
  let total = 0;
  for (let item = 0; item < scores.length; item++) {
    if (exclude.has(item)) continue;
    total += Math.exp(scores[item] - highest);
    best.offer(scores[item], item);
  }
  const list: ScoredItem[] = [];
  best.drain((_, score, item) => list.push({ item, score, probability: Math.exp(score - highest) / total }));
  return list;
}

/** Options of `beamSearchLists`. */
export interface BeamSearchListsOptions {
  /** How many of the newest items of a history the model sees; `code` applies it, lists state it. Default all. */
  maxHistory?: number;
  /** Makes the model's decoder. Default `createCausalDecoder`; a T5 takes `createT5Decoder`. */
  createDecoder?: (model: tfl.LayersModel) => CausalDecoder;
}

/**
 * Makes lists with a language model: beam search that only the catalogue's items can leave.
 *
 * @param model of `causalLM` or `loadPretrained`, or one that `createDecoder` takes, as it is at the time of the call.
 * @param code how the model names items.
 * @param options history and decoder; see `BeamSearchListsOptions`.
 * @returns everything of an `AskedModel` but `dispose`.
 * @example
 * ```ts
 * import { buildPrefixTrie, causalLM } from 'tfjs-ilrec';
 * import { beamSearchLists } from 'tfjs-ilrec/node';
 *
 * const model = causalLM({ vocabSize: 5, hiddenSize: 8, numHiddenLayers: 1 });
 * const trie = buildPrefixTrie([[3], [4]]); // two items, a token each
 * const code = { trie, prompt: () => [1], itemCounts: [1, 1], responseTokens: [3, 4] };
 * const { rank } = beamSearchLists(model, code);
 * const options = { k: 2, exclude: new Set<number>(), beamWidth: 2, renormalize: false, batchSize: 1 };
 * console.log((await rank([], options)).length); // 2
 * ```
 */
export function beamSearchLists(
  model: tfl.LayersModel,
  code: ItemCode,
  { maxHistory, createDecoder = createCausalDecoder }: BeamSearchListsOptions = {},
): Lists {
  const { trie, prompt, itemCounts } = code;
  const rankBatch: Lists['rankBatch'] = async (histories, { k, exclude, beamWidth, renormalize, fusion }) => {
    const rankTies = popularityTies(itemCounts);
    const beams = widenedBeams(beamWidth, k, trie.numItems);
    const options = { beamWidth: beams, renormalize, listLength: k, rankTies, exclude };
    const [decoder, prompts] = [createDecoder(model), histories.map((history) => prompt(history))];
    const shown = histories.map((history) => newest(history, maxHistory));
    const found =
      fusion === undefined
        ? await constrainedBeamSearch(decoder, trie, prompts, options)
        : await fusedBeamSearch(decoder, trie, prompts, shown, fusion, options);
    const probability = (score: number): Pick<ScoredItem, 'probability'> =>
      fusion === undefined ? { probability: Math.exp(score) } : {}; // mixed scores are no logarithms
    return found.map(({ items, scores }) =>
      Array.from(items, (item, i) => ({ item, score: scores[i], ...probability(scores[i]) })),
    );
  };
  return {
    scorer: null,
    languageModel: model,
    code,
    itemVectors: () => stateVectors(createDecoder(model), prompt, trie.numItems),
    recommender(histories, { beamWidth, renormalize, seen, fusion }) {
      const decoder = createDecoder(model);
      return beamSearchRecommender({
        decoder,
        trie,
        prompt,
        itemCounts,
        histories,
        maxHistory,
        beamWidth,
        leastItems: LARGEST_CUTOFF,
        renormalize,
        excludeSeen: seen === 'exclude',
        fusion,
      });
    },
    rank: async (history, options) => (await rankBatch([history], { ...options, exclude: [options.exclude] }))[0],
    rankBatch,
  };
}

function newest(history: readonly number[], maxHistory: number | undefined): readonly number[] {
  return maxHistory === undefined ? history : history.slice(-maxHistory);
}
