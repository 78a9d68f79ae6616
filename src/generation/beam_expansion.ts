import { IlrecError } from '../errors';
import type { ExcludedItems } from './excluded_items';
import type { PrefixTrie } from './prefix_trie';
import type { TokenScores } from './token_scores';
import type { TopK } from './top_k';
import { levelsOf } from './trie_facts';

/** The prefixes that a step continues. */
export interface Beams {
  /** Beams per user: 1 in the first step, then W. */
  readonly width: number;
  /** Tokens of each prefix. */
  readonly depth: number;
  /** Trie node of each beam, [B * width]; -1 where unused. */
  readonly nodes: Int32Array;
  /** Log-probability of each beam's prefix, [B * width]; -Infinity where unused. */
  readonly scores: Float64Array;
}

/** The state of a batch's search that lasts from step to step. */
export interface Search {
  readonly trie: PrefixTrie;
  /** W, beams per user after the first step. */
  readonly width: number;
  /** Items that each user must not get, [B]; null or undefined for none. */
  readonly excluded: readonly (ExcludedItems | null | undefined)[];
  /** The best complete sequences of each user, by trie edge, [B]. */
  readonly complete: readonly TopK[];
  /** The best continuations of the current user; empty between users. */
  readonly unfinished: TopK;
}

/** The beams after a step, and what the decoder must do to reach them. */
export interface Continuation {
  readonly beams: Beams;
  /** The token that each beam appends, [B * W]; 0 where unused. */
  readonly tokens: Int32Array;
  /** The beam of the same user that each one continues, [B * W]; 0 where unused. */
  readonly parents: Int32Array;
}

/**
 * Continues all beams by one token. Complete sequences are kept; the best of the others become the next beams.
 *
 * @returns the next beams, or null when no user has any.
 * @throws IlrecError when a log-probability is NaN.
 */
export function expandBeams(search: Search, beams: Beams, tokenScores: TokenScores): Continuation | null {
  const { trie, width, complete, unfinished } = search;
  const rows = complete.length * width;
  const nodes = new Int32Array(rows).fill(-1);
  const scores = new Float64Array(rows).fill(-Infinity);
  const tokens = new Int32Array(rows);
  const parents = new Int32Array(rows);
  let anyUnfinished = false;
  for (let user = 0; user < complete.length; user++) {
    offerContinuations(search, user, beams, tokenScores);
    unfinished.drain((rank, score, edge, parent) => {
      const beam = user * width + rank;
      nodes[beam] = edge + 1;
      scores[beam] = score;
      tokens[beam] = trie.childToken[edge];
      parents[beam] = parent;
      anyUnfinished = true;
    });
  }
  return anyUnfinished ? { beams: { width, depth: beams.depth + 1, nodes, scores }, tokens, parents } : null;
}

/** Offers each continuation of one user's beams to the complete and to the unfinished sequences. */
function offerContinuations(
  { trie, excluded, complete: completeOf, unfinished }: Search,
  user: number,
  beams: Beams,
  tokenScores: TokenScores,
): void {
  const { childStart, childToken, itemLow, itemHigh, terminalHigh } = trie;
  const { logits, numColumns, columnOf, logNormalisers } = tokenScores;
  const complete = completeOf[user];
  const excludedOfUser = excluded[user];
  const { numOpen, someEnd } = levelsOf(trie)[beams.depth + 1];
  const barOf = (): number => Math.min(someEnd ? complete.bar : Infinity, numOpen > 0 ? unfinished.bar : Infinity);
  let bar = barOf(); // neither takes a candidate below it, so most are skipped before the trie is read
  for (let beam = 0; beam < beams.width; beam++) {
    const row = user * beams.width + beam;
    const node = beams.nodes[row];
    if (node < 0) continue;
    const offset = row * numColumns;
    const start = childStart[node];
    const end = childStart[node + 1];
    const base =
      beams.scores[row] -
      (logNormalisers ? logNormalisers[row] : logSumExpOfEdges(tokenScores, offset, childToken, start, end));
    for (let edge = start; edge < end; edge++) {
      const token = childToken[edge];
      const score = base + logits[offset + (columnOf === null ? token : columnOf[token])];
      if (score < bar) continue;
      if (Number.isNaN(score)) {
        throw new IlrecError(
          `constrainedBeamSearch: log-probabilities must be numbers, got NaN for token ${token}; the model's ` +
            'weights have diverged',
        );
      }
      const child = edge + 1;
      const low = itemLow[child];
      const ends = terminalHigh[child];
      const high = itemHigh[child];
      if (ends > low && complete.accepts(score, edge) && !excludedOfUser?.covers(low, ends))
        complete.offer(score, edge);
      if (high > ends && unfinished.accepts(score, edge) && !excludedOfUser?.covers(ends, high))
        unfinished.offer(score, edge, beam);
      bar = barOf();
    }
  }
}

/**
 * log sum exp of the logits of a node's edges. It is 0 if all are -Infinity, so that their log-probabilities stay
 * -Infinity.
 */
export function logSumExpOfEdges(
  { logits, columnOf }: TokenScores,
  offset: number,
  childToken: Int32Array,
  start: number,
  end: number,
): number {
  const logitOf = (edge: number): number =>
    logits[offset + (columnOf === null ? childToken[edge] : columnOf[childToken[edge]])];
  let max = -Infinity;
  for (let edge = start; edge < end; edge++) max = Math.max(max, logitOf(edge));
  if (max === -Infinity) return 0;
  let sum = 0;
  for (let edge = start; edge < end; edge++) sum += Math.exp(logitOf(edge) - max);
  return max + Math.log(sum);
}
