import { IlrecError } from '../errors';
import { type BeamSearchOptions, constrainedBeamSearch, type RankedItems } from '../generation/constrained_beam_search';
import type { CausalDecoder } from '../generation/decoder';
import type { PrefixTrie } from '../generation/prefix_trie';
import type { ItemScorer } from '../models/item_scorer';
import { meanScorer } from '../models/mean_scorer';

/** Another model whose scores count beside those of the model that makes a list. */
export interface Fusion {
  /** The other model, such as `markovScorer` or `sasrecScorer` makes. */
  readonly scorer: ItemScorer;
  /** g, weight of the model that makes the list, in [0, 1]; the other one has the rest. */
  readonly weight: number;
  /**
   * For lists by beam search: `d3` mixes both models at each token, so that the other one steers the search; `scores`
   * ranks what the search has found by both. A model that scores all items mixes their scores in either case. Default
   * 'scores'.
   */
  readonly kind?: 'd3' | 'scores';
}

/**
 * The scores of two models as one: g log p + (1 - g) log p_other.
 *
 * @throws IlrecError when the weight is out of range or the catalogues differ in size.
 */
export function fusedScorer(own: ItemScorer, { scorer, weight }: Fusion): ItemScorer {
  checkWeight(weight);
  return meanScorer([own, scorer], { weights: [weight, 1 - weight] });
}

/** What is said of a list by beam search. */
export function fusionText({ scorer, weight, kind = 'scores' }: Fusion): string {
  const how = kind === 'd3' ? 'token by token (D3)' : 'by their scores';
  return `, mixed with ${scorer.name} ${how}, which has the weight ${rounded(1 - weight)}`;
}

/**
 * Constrained beam search with another model beside the language model.
 *
 * ```
 * d3      score(v | h) = g log p(v | h) + (1 - g) log( m(h, v) / sum of m(h, .) )       at each token, see `BeamGuide`
 * scores  score(i)     = g log p(i) + (1 - g) log p_other(i)                            of the items that were found
 * ```
 * @param histories what the other model sees, [B].
 * @throws IlrecError when the weight is out of range or the catalogues differ in size, and as the search does.
 */
export async function fusedBeamSearch(
  decoder: CausalDecoder,
  trie: PrefixTrie,
  prompts: readonly ArrayLike<number>[],
  histories: readonly ArrayLike<number>[],
  { scorer, weight, kind = 'scores' }: Fusion,
  options: BeamSearchOptions = {},
): Promise<RankedItems[]> {
  checkWeight(weight);
  const { numItems } = trie;
  if (scorer.numItems !== numItems)
    throw new IlrecError(
      `fusion: both models must have the same catalogue, got ${scorer.numItems} items in "${scorer.name}" and ` +
        `${numItems} in the trie`,
    );
  if (prompts.length === 0) return [];
  const tensor = scorer.score(histories); // [B, N]
  const itemScores = (await tensor.data().finally(() => tensor.dispose())) as Float32Array;
  if (kind === 'd3')
    return await constrainedBeamSearch(decoder, trie, prompts, { ...options, guide: { itemScores, weight } });
  const { beamWidth = 20, listLength = beamWidth } = options;
  const found = await constrainedBeamSearch(decoder, trie, prompts, {
    ...options,
    listLength: Math.max(listLength, beamWidth),
  });
  return found.map((ranked, user) =>
    ranking(ranked, itemScores.subarray(user * numItems, (user + 1) * numItems), weight, listLength),
  );
}

/** Items in the order of both models; of equal scores the one that the search had first. */
function ranking({ items, scores }: RankedItems, other: Float32Array, weight: number, length: number): RankedItems {
  let highest = -Infinity;
  for (const score of other) highest = Math.max(highest, score);
  let total = 0;
  for (const score of other) total += Math.exp(score - highest);
  const normaliser = highest + Math.log(total);
  const term = (factor: number, value: number): number => (factor === 0 ? 0 : factor * value);
  const fused = Float64Array.from(
    items,
    (item, i) => term(weight, scores[i]) + term(1 - weight, other[item] - normaliser),
  );
  const wrong = fused.findIndex(Number.isNaN);
  if (wrong >= 0)
    throw new IlrecError(
      `fusion: scores must be numbers, got NaN for item ${items[wrong]}; the weights of a model have diverged`,
    );
  const order = [...items.keys()].sort((a, b) => fused[b] - fused[a] || a - b).slice(0, length);
  return { items: Int32Array.from(order, (i) => items[i]), scores: Float32Array.from(order, (i) => fused[i]) };
}

function checkWeight(weight: number): void {
  if (!(weight >= 0 && weight <= 1)) throw new IlrecError(`fusion: weight must be from 0 to 1, got ${weight}`);
}

/** Without the last digits of 1 - 0.9. */
function rounded(value: number): number {
  return Number(value.toFixed(6));
}
