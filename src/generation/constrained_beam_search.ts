import { IlrecError } from '../errors';
import type { CausalDecoder } from './decoder';
import { ExcludedItems } from './excluded_items';
import { itemNumberTies, type TieRule } from './item_ties';
import type { PrefixTrie } from './prefix_trie';
import { readTokenScores, type TokenScores } from './token_scores';
import { TopK } from './top_k';

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
  /** Token ids projected at once for the log-sum-exp over the vocabulary; default 8192. */
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
  { beamWidth = 20, renormalize = false, numItems = beamWidth, rankTies = itemNumberTies, exclude = [], vocabTileSize = 8192 }: BeamSearchOptions = {},
): Promise<RankedItems[]> {
  checkArguments(decoder, trie, prompts, { beamWidth, numItems, vocabTileSize });
  if (exclude.length !== 0 && exclude.length !== prompts.length) {
    throw new IlrecError(`constrainedBeamSearch: exclude must hold one set per prompt, got ${exclude.length} for ${prompts.length} prompts`);
  }
  if (prompts.length === 0) return [];
  const batchSize = prompts.length;
  const width = Math.min(beamWidth, widestLevel(trie)); // more beams than unfinished prefixes would stay empty
  const excluded = exclude.length === 0 ? [] : ExcludedItems.ofUsers(trie, exclude);
  const complete = Array.from(prompts, () => new TopK(numItems));
  const unfinished = new TopK(width);
  let beams: Beams = { width: 1, nodes: new Int32Array(batchSize), scores: new Float64Array(batchSize) }; // each user at the root

  const state = decoder.prefill(prompts, width);
  try {
    for (;;) {
      const tokenScores = await readTokenScores(decoder, decoder.hidden(state), trie, beams.nodes, { renormalize, vocabTileSize });
      const next: Beams = { width, nodes: new Int32Array(batchSize * width).fill(-1), scores: new Float64Array(batchSize * width).fill(-Infinity) };
      const tokens = new Int32Array(batchSize * width); // an unused beam steps token 0 from beam 0 and is never read
      const parents = new Int32Array(batchSize * width);
      let anyUnfinished = false;
      for (let user = 0; user < batchSize; user++) {
        expandUser({ trie, beams, user, tokenScores, excluded: excluded[user] ?? null, complete: complete[user], unfinished });
        unfinished.drain((rank, score, edge, parent) => {
          const beam = user * width + rank;
          next.nodes[beam] = edge + 1;
          next.scores[beam] = score;
          tokens[beam] = trie.childToken[edge];
          parents[beam] = parent;
          anyUnfinished = true;
        });
      }
      if (!anyUnfinished) break;
      decoder.step(state, tokens, parents);
      beams = next;
    }
  } finally {
    decoder.dispose(state);
  }
  return complete.map((nodes, user) => itemsOf(trie, nodes, numItems, rankTies, excluded[user] ?? null));
}

/** The prefixes alive at a step. */
interface Beams {
  /** Beams per user. */
  readonly width: number;
  /** Trie node of each beam, [B * width]; -1 where unused. */
  readonly nodes: Int32Array;
  /** Log-probability of each beam's prefix, [B * width]; -Infinity where unused. */
  readonly scores: Float64Array;
}

interface Expansion {
  trie: PrefixTrie;
  beams: Beams;
  user: number;
  tokenScores: TokenScores;
  excluded: ExcludedItems | null;
  complete: TopK;
  unfinished: TopK;
}

/** Offers each continuation of one user's beams to the complete and to the unfinished ones. */
function expandUser({ trie, beams, user, tokenScores, excluded, complete, unfinished }: Expansion): void {
  const { childStart, childToken, itemLow, itemHigh, terminalHigh } = trie;
  const { logits, numColumns, columnOf, logNormalisers } = tokenScores;
  for (let beam = 0; beam < beams.width; beam++) {
    const row = user * beams.width + beam;
    const node = beams.nodes[row];
    if (node < 0) continue;
    const offset = row * numColumns;
    const start = childStart[node];
    const end = childStart[node + 1];
    const base = beams.scores[row] - (logNormalisers ? logNormalisers[row] : logSumExpOfEdges(tokenScores, offset, childToken, start, end));
    for (let edge = start; edge < end; edge++) {
      const score = base + logits[offset + columnOf[childToken[edge]]];
      if (Number.isNaN(score)) {
        throw new IlrecError(`constrainedBeamSearch: log-probabilities must be numbers, got NaN for token ${childToken[edge]}; the model's weights have diverged`);
      }
      const child = edge + 1;
      const low = itemLow[child];
      const ends = terminalHigh[child];
      const high = itemHigh[child];
      if (ends > low && complete.accepts(score, edge) && !excluded?.covers(low, ends)) complete.offer(score, edge);
      if (high > ends && unfinished.accepts(score, edge) && !excluded?.covers(ends, high)) unfinished.offer(score, edge, beam);
    }
  }
}

/** log sum exp of the logits of a node's edges; 0 where all are -Infinity, so that they stay -Infinity. */
function logSumExpOfEdges({ logits, columnOf }: TokenScores, offset: number, childToken: Int32Array, start: number, end: number): number {
  let max = -Infinity;
  for (let edge = start; edge < end; edge++) max = Math.max(max, logits[offset + columnOf[childToken[edge]]]);
  if (max === -Infinity) return 0;
  let sum = 0;
  for (let edge = start; edge < end; edge++) sum += Math.exp(logits[offset + columnOf[childToken[edge]]] - max);
  return max + Math.log(sum);
}

/** The items behind the complete sequences, best sequence first. */
function itemsOf(trie: PrefixTrie, complete: TopK, numItems: number, rankTies: TieRule, excluded: ExcludedItems | null): RankedItems {
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

/** The most nodes with children on one level, at least 1. */
function widestLevel({ childStart }: PrefixTrie): number {
  let widest = 1;
  for (let start = 0, end = 1; start < end; [start, end] = [childStart[start] + 1, childStart[end] + 1]) {
    let open = 0;
    for (let node = start; node < end; node++) if (childStart[node + 1] > childStart[node]) open++;
    widest = Math.max(widest, open);
  }
  return widest;
}

function checkArguments(decoder: CausalDecoder, trie: PrefixTrie, prompts: readonly ArrayLike<number>[], counts: Record<string, number>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) throw new IlrecError(`constrainedBeamSearch: ${name} must be an integer of at least 1, got ${value}`);
  }
  const largest = trie.childToken.reduce((max, token) => Math.max(max, token), 0);
  if (largest >= decoder.vocabSize) {
    throw new IlrecError(`constrainedBeamSearch: item tokens must be below the decoder's vocabSize of ${decoder.vocabSize}, got ${largest}; use the model's own item index`);
  }
  prompts.forEach((prompt, user) => {
    if (prompt.length === 0) throw new IlrecError(`constrainedBeamSearch: a prompt must have at least one token, got none for prompt ${user}`);
    for (let t = 0; t < prompt.length; t++) {
      const token = prompt[t];
      if (!(Number.isInteger(token) && token >= 0 && token < decoder.vocabSize)) {
        throw new IlrecError(`constrainedBeamSearch: prompt tokens must be integers in [0, ${decoder.vocabSize}), got ${token} at position ${t} of prompt ${user}`);
      }
    }
  });
}
