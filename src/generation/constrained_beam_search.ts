import { IlrecError } from '../errors';
import { warnOnce } from '../warn_once';
import { type Beams, expandBeams, type Search } from './beam_expansion';
import { type BeamGuide, checkGuide, guidedScores } from './beam_guide';
import type { CausalDecoder } from './decoder';
import { ExcludedItems } from './excluded_items';
import { itemNumberTies, type TieRule } from './item_ties';
import { BeamDraws, type BeamSampling } from './beam_sampling';
import { itemsEndingAt, type PrefixTrie } from './prefix_trie';
import { readTokenScores } from './token_scores';
import { TopK } from './top_k';
import { largestToken, levelsOf } from './trie_facts';

/** Options of `constrainedBeamSearch`. */
export interface BeamSearchOptions {
  /** W, partial sequences kept per user and step, 1 or more. Default 20. */
  beamWidth?: number;
  /**
   * true: probabilities over the tokens that may follow the prefix, so that those of all items sum to 1. Default false:
   * over the whole vocabulary.
   */
  renormalize?: boolean;
  /**
   * Most items returned per user, 1 or more. It may exceed `beamWidth`, since the last step sees all continuations of
   * all beams. Default `beamWidth`.
   */
  listLength?: number;
  /** @deprecated The old name of `listLength`. */
  numItems?: number;
  /** Order of items that share one token sequence. Default: the lower item number first. */
  rankTies?: TieRule;
  /**
   * Items that are not returned, one set per prompt. They take no beams, and the scores of other items do not change.
   * Default none.
   */
  exclude?: readonly (ReadonlySet<number> | null | undefined)[];
  /**
   * Another model that steers the search, token by token (D3). The scores of the items are then those of the mixture.
   * Default none.
   */
  guide?: BeamGuide;
  /**
   * Tokens projected at once for the log-sum-exp over the vocabulary, 1 or more. Default 8192, or the whole vocabulary
   * if its logits take no more memory than such a tile.
   */
  vocabTileSize?: number;
}

/** One user's ranked items, best first. There are fewer than `listLength` only if the beams reached no more. */
export interface RankedItems {
  /** Item numbers. */
  readonly items: Int32Array;
  /** Sum of the log-probabilities of each item's tokens; with a guide, of the mixed scores. */
  readonly scores: Float32Array;
}

/**
 * Ranks catalogue items for each prompt by beam search over the prefix trie.
 *
 * Only items of the catalogue can be returned. With a beam as wide as the trie's widest level, the ranking is that of
 * scoring every item. An item is complete where its sequence ends, also inside the trie, and then no longer competes
 * for beams. Of equal scores the lower trie edge comes first: the shorter sequence, then the lower token.
 *
 * @param decoder the model: `createCausalDecoder` or `createModelDecoder` makes it.
 * @param trie the items' token sequences: `buildPrefixTrie` makes it.
 * @param prompts [B] lists of at least one token id. Each prompt runs once, for any beam width.
 * @param options beams, items and exclusions; see `BeamSearchOptions`.
 * @returns [B] rankings, in the order of the prompts.
 * @throws IlrecError when an option is out of range, a prompt is empty, a token is not in the decoder's vocabulary, or
 *   a log-probability or a score of the guide is NaN.
 * @example
 * ```ts
 * import { buildPrefixTrie, causalLM, constrainedBeamSearch, createCausalDecoder } from 'tfjs-ilrec';
 *
 * const decoder = createCausalDecoder(causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 2 }));
 * const trie = buildPrefixTrie([[3, 5], [3, 6], [4, 5]]); // three items, two tokens each
 * const [{ items, scores }] = await constrainedBeamSearch(decoder, trie, [[1, 3, 5]], { exclude: [new Set([0])] });
 * console.log([...items].sort(), scores.length); // [ 1, 2 ] 2
 * ```
 */
export async function constrainedBeamSearch(
  decoder: CausalDecoder,
  trie: PrefixTrie,
  prompts: readonly ArrayLike<number>[],
  {
    beamWidth = 20,
    renormalize = false,
    numItems,
    listLength = numItems ?? beamWidth,
    rankTies = itemNumberTies,
    exclude = [],
    guide,
    vocabTileSize,
  }: BeamSearchOptions = {},
): Promise<RankedItems[]> {
  if (numItems !== undefined)
    warnOnce('constrainedBeamSearch: the option numItems is now called listLength; the old name still works');
  const found = await rankedSequences(decoder, trie, prompts, {
    beamWidth,
    renormalize,
    listLength,
    exclude,
    guide,
    vocabTileSize,
  });
  return found.map((sequences, user) => itemsOf(trie, sequences, listLength, rankTies, exclude[user]));
}

/** One user's ranked token sequences, each of one item or of several that share it. */
export interface RankedSequences {
  /** Trie nodes where the sequences end, best first. */
  readonly nodes: Int32Array;
  /** Log-probability of each. */
  readonly scores: Float64Array;
}

/** Options of `rankedSequences`; as those of `constrainedBeamSearch`, for sequences in place of items. */
export interface SequenceSearchOptions extends Pick<
  BeamSearchOptions,
  'renormalize' | 'exclude' | 'guide' | 'vocabTileSize'
> {
  beamWidth: number;
  listLength: number;
  /** Draws sequences in place of taking the best ones. `renormalize` and `guide` then have no effect. Default none. */
  sampling?: BeamSampling;
}

/**
 * Finds the best token sequences for each prompt, or draws some.
 *
 * @throws IlrecError as `constrainedBeamSearch`, in whose name it speaks.
 */
export async function rankedSequences(
  decoder: CausalDecoder,
  trie: PrefixTrie,
  prompts: readonly ArrayLike<number>[],
  {
    beamWidth,
    listLength,
    renormalize: asksChildren = false,
    exclude = [],
    guide,
    vocabTileSize,
    sampling,
  }: SequenceSearchOptions,
): Promise<RankedSequences[]> {
  checkArguments(decoder, trie, prompts, {
    beamWidth,
    listLength,
    ...(vocabTileSize === undefined ? {} : { vocabTileSize }),
  });
  if (exclude.length !== 0 && exclude.length !== prompts.length) {
    throw new IlrecError(
      `constrainedBeamSearch: exclude must have one set per prompt, got ${exclude.length} for ${prompts.length} ` +
        'prompts; use null for none',
    );
  }
  if (guide !== undefined) checkGuide(guide, prompts.length, trie.numItems);
  if (prompts.length === 0) return [];
  const guides = guide !== undefined && guide.weight < 1;
  const renormalize = asksChildren || sampling !== undefined;
  const mostOpen = Math.max(...levelsOf(trie).map(({ numOpen }) => numOpen)); // more beams would stay empty
  const width = Math.min(beamWidth, mostOpen);
  const excluded = ExcludedItems.ofUsers(trie, exclude);
  const complete = Array.from(prompts, () => new TopK(listLength));
  const search: Search = { trie, width, excluded, complete, unfinished: new TopK(width) };
  const draws = sampling === undefined ? null : new BeamDraws(search, sampling);
  let beams: Beams = {
    width: 1,
    depth: 0,
    nodes: new Int32Array(prompts.length),
    scores: new Float64Array(prompts.length),
  }; // all users at the root

  const state = decoder.prefill(prompts, width);
  try {
    for (;;) {
      const tokenScores = await readTokenScores(decoder, decoder.hidden(state), trie, beams.nodes, {
        renormalize,
        vocabTileSize,
      });
      const scores =
        draws !== null
          ? draws.perturbed(beams, tokenScores)
          : guides
            ? guidedScores(guide, search, beams, tokenScores)
            : tokenScores;
      const next = expandBeams(search, beams, scores);
      if (next === null) break;
      decoder.step(state, next.tokens, next.parents);
      beams = next.beams;
    }
  } finally {
    decoder.dispose(state);
  }
  return complete.map((best, user) => {
    const found: { node: number; score: number }[] = [];
    best.drain((_, score, edge) =>
      found.push({ node: edge + 1, score: draws === null ? score : draws.logProbOf(user, edge + 1) }),
    );
    if (draws !== null) found.sort((a, b) => b.score - a.score || a.node - b.node);
    return {
      nodes: Int32Array.from(found, ({ node }) => node),
      scores: Float64Array.from(found, ({ score }) => score),
    };
  });
}

/** The items of the complete sequences, best sequence first. */
function itemsOf(
  trie: PrefixTrie,
  { nodes, scores: scoresOf }: RankedSequences,
  listLength: number,
  rankTies: TieRule,
  excluded: ReadonlySet<number> | null | undefined,
): RankedItems {
  const items: number[] = [];
  const scores: number[] = [];
  nodes.forEach((node, rank) => {
    if (items.length >= listLength) return;
    const tied = itemsEndingAt(trie, node);
    const ordered = tied.length > 1 ? rankTies(tied.slice()) : tied;
    for (let i = 0; i < ordered.length && items.length < listLength; i++) {
      if (excluded?.has(ordered[i])) continue;
      items.push(ordered[i]);
      scores.push(scoresOf[rank]);
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
      `constrainedBeamSearch: item tokens must be below the decoder's vocabSize of ${decoder.vocabSize}, got ` +
        `${largest}; build the trie from the tokens that the model was trained on`,
    );
  }
  prompts.forEach((prompt, user) => {
    if (prompt.length === 0)
      throw new IlrecError(`constrainedBeamSearch: a prompt must have at least one token, got none for prompt ${user}`);
    for (let t = 0; t < prompt.length; t++) {
      const token = prompt[t];
      if (!(Number.isInteger(token) && token >= 0 && token < decoder.vocabSize)) {
        throw new IlrecError(
          `constrainedBeamSearch: prompt tokens must be integers in [0, ${decoder.vocabSize}), got ${token} at ` +
            `position ${t} of prompt ${user}`,
        );
      }
    }
  });
}
