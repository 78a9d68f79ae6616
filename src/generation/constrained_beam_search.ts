import { IlrecError } from '../errors';
import { type Beams, expandBeams, type Search } from './beam_expansion';
import type { CausalDecoder } from './decoder';
import { ExcludedItems } from './excluded_items';
import { itemNumberTies, type TieRule } from './item_ties';
import type { PrefixTrie } from './prefix_trie';
import { readTokenScores } from './token_scores';
import { TopK } from './top_k';
import { largestToken, levelsOf } from './trie_facts';

export interface BeamSearchOptions {
  /** W, partial sequences kept per user and step; an integer of at least 1, default 20. */
  beamWidth?: number;
  /** false (default): probabilities over the whole vocabulary. true: over the tokens that may follow the prefix, so that those of all leaves sum to 1. */
  renormalize?: boolean;
  /** Most items returned per user; default `beamWidth`. More than the beams is possible: the last step sees all continuations of all beams. */
  numItems?: number;
  /** Order of items that share one token sequence; default: lower item number first. */
  rankTies?: TieRule;
  /** Items not to return, one set per user. A subtree with nothing else takes no beam; the scores of other items do not change. */
  exclude?: readonly (ReadonlySet<number> | null | undefined)[];
  /** Token ids projected at once for the log-sum-exp over the vocabulary; default 8192, or all where their logits take no more memory than such a tile. */
  vocabTileSize?: number;
}

/** One user's ranked items, best first; shorter than `numItems` only where the beams reached no more. */
export interface RankedItems {
  readonly items: Int32Array;
  /** Sum of the log-probabilities of the item's tokens. */
  readonly scores: Float32Array;
}

/**
 * Ranks catalogue items for each prompt by beam search over the prefix trie: an item that does not exist cannot come out, and with a beam as wide as the
 * trie's widest level the ranking is that of scoring every item.
 *
 * An item is complete where its sequence ends, also inside the trie; complete items do not compete with unfinished ones for beams.
 * Of equal scores the lower trie edge is ahead, so the shorter sequence and then the lower token.
 *
 * @param prompts [B] token ids of at least one token each; each is run once, whatever the beam width.
 * @returns [B] rankings, in the order of the prompts.
 * @throws IlrecError on an empty prompt, a token the decoder does not have, or log-probabilities that are NaN.
 */
export async function constrainedBeamSearch(
  decoder: CausalDecoder,
  trie: PrefixTrie,
  prompts: readonly ArrayLike<number>[],
  {
    beamWidth = 20,
    renormalize = false,
    numItems = beamWidth,
    rankTies = itemNumberTies,
    exclude = [],
    vocabTileSize,
  }: BeamSearchOptions = {},
): Promise<RankedItems[]> {
  checkArguments(decoder, trie, prompts, {
    beamWidth,
    numItems,
    ...(vocabTileSize === undefined ? {} : { vocabTileSize }),
  });
  if (exclude.length !== 0 && exclude.length !== prompts.length) {
    throw new IlrecError(
      `constrainedBeamSearch: exclude must hold one set per prompt, got ${exclude.length} for ${prompts.length} prompts`,
    );
  }
  if (prompts.length === 0) return [];
  const width = Math.min(beamWidth, Math.max(...levelsOf(trie).map(({ numOpen }) => numOpen))); // more beams than unfinished prefixes would stay empty
  const excluded = exclude.length === 0 ? [] : ExcludedItems.ofUsers(trie, exclude);
  const complete = Array.from(prompts, () => new TopK(numItems));
  const search: Search = { trie, width, excluded, complete, unfinished: new TopK(width) };
  let beams: Beams = {
    width: 1,
    depth: 0,
    nodes: new Int32Array(prompts.length),
    scores: new Float64Array(prompts.length),
  }; // each user at the root

  const state = decoder.prefill(prompts, width);
  try {
    for (;;) {
      const tokenScores = await readTokenScores(decoder, decoder.hidden(state), trie, beams.nodes, {
        renormalize,
        vocabTileSize,
      });
      const next = expandBeams(search, beams, tokenScores);
      if (next === null) break;
      decoder.step(state, next.tokens, next.parents);
      beams = next.beams;
    }
  } finally {
    decoder.dispose(state);
  }
  return complete.map((nodes, user) => itemsOf(trie, nodes, numItems, rankTies, excluded[user] ?? null));
}

/** The items behind the complete sequences, best sequence first. */
function itemsOf(
  trie: PrefixTrie,
  complete: TopK,
  numItems: number,
  rankTies: TieRule,
  excluded: ExcludedItems | null,
): RankedItems {
  const items: number[] = [];
  const scores: number[] = [];
  complete.drain((_, score, edge) => {
    if (items.length >= numItems) return;
    const behind = trie.itemOrder.subarray(trie.itemLow[edge + 1], trie.terminalHigh[edge + 1]);
    const ordered = behind.length > 1 ? rankTies(behind.slice()) : behind;
    for (let i = 0; i < ordered.length && items.length < numItems; i++) {
      if (excluded?.has(ordered[i])) continue;
      items.push(ordered[i]);
      scores.push(score);
    }
  });
  return { items: Int32Array.from(items), scores: Float32Array.from(scores) };
}

function checkArguments(
  decoder: CausalDecoder,
  trie: PrefixTrie,
  prompts: readonly ArrayLike<number>[],
  counts: Record<string, number>,
): void {
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`constrainedBeamSearch: ${name} must be an integer of at least 1, got ${value}`);
  }
  const largest = largestToken(trie);
  if (largest >= decoder.vocabSize) {
    throw new IlrecError(
      `constrainedBeamSearch: item tokens must be below the decoder's vocabSize of ${decoder.vocabSize}, got ${largest}; use the model's own item index`,
    );
  }
  prompts.forEach((prompt, user) => {
    if (prompt.length === 0)
      throw new IlrecError(`constrainedBeamSearch: a prompt must have at least one token, got none for prompt ${user}`);
    for (let t = 0; t < prompt.length; t++) {
      const token = prompt[t];
      if (!(Number.isInteger(token) && token >= 0 && token < decoder.vocabSize)) {
        throw new IlrecError(
          `constrainedBeamSearch: prompt tokens must be integers in [0, ${decoder.vocabSize}), got ${token} at position ${t} of prompt ${user}`,
        );
      }
    }
  });
}
