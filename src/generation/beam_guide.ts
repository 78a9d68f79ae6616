import { IlrecError } from '../errors';
import { type Beams, logSumExpOfEdges, type Search } from './beam_expansion';
import type { PrefixTrie } from './prefix_trie';
import type { TokenScores } from './token_scores';

/** Another model that steers the search: D3's decoding. */
export interface BeamGuide {
  /** Its log-scores of all items for each prompt, [B * N] row by row; their softmax are its probabilities. */
  readonly itemScores: ArrayLike<number>;
  /** g, weight of the language model, in [0, 1]; the guide has the rest. */
  readonly weight: number;
}

/** @throws IlrecError when the guide does not fit the prompts. */
export function checkGuide({ itemScores, weight }: BeamGuide, numPrompts: number, numItems: number): void {
  if (!(weight >= 0 && weight <= 1))
    throw new IlrecError(`constrainedBeamSearch: guide.weight must be from 0 to 1, got ${weight}`);
  if (itemScores.length !== numPrompts * numItems)
    throw new IlrecError(
      `constrainedBeamSearch: guide.itemScores must hold ${numItems} scores for each of ${numPrompts} prompts, got ` +
        `${itemScores.length}`,
    );
}

/**
 * Mixes the guide into the scores of a step.
 *
 * ```
 * score(v | h) = g log p(v | h) + (1 - g) log( m(h, v) / sum over v' of m(h, v') )
 * ```
 * m(h, v) is the guide's probability of all items that begin with the prefix h and v. Bao et al., arXiv 2406.14900 (D3).
 * Sums are taken within the node, so that unlikely prefixes stay exact. A token whose items all have the score -Infinity
 * has the mass 0; where that holds for every token, all have the same.
 *
 * @param guide with a weight below 1.
 * @returns scores of the tokens that may follow; other columns are not meaningful.
 */
export function guidedScores(
  { itemScores, weight }: BeamGuide,
  { trie, complete }: Pick<Search, 'trie' | 'complete'>,
  { width, nodes }: Beams,
  tokenScores: TokenScores,
): TokenScores {
  const { logits, numColumns, columnOf, logNormalisers } = tokenScores;
  const { childStart, childToken, numItems } = trie;
  const mixed = logits.slice();
  for (let user = 0; user < complete.length; user++)
    for (let row = user * width; row < (user + 1) * width; row++) {
      const node = nodes[row];
      if (node < 0) continue;
      const [start, end] = [childStart[node], childStart[node + 1]];
      const offset = row * numColumns;
      const normaliser = logNormalisers
        ? logNormalisers[row]
        : logSumExpOfEdges(tokenScores, offset, childToken, start, end);
      const shares = logShares(trie, node, itemScores, user * numItems);
      for (let edge = start; edge < end; edge++) {
        const column = offset + (columnOf === null ? childToken[edge] : columnOf[childToken[edge]]);
        // a weight of 0 leaves out infinite scores, too
        const own = weight === 0 ? 0 : weight * (logits[column] - normaliser);
        mixed[column] = own + (1 - weight) * shares[edge - start];
      }
    }
  return { logits: mixed, numColumns, columnOf, logNormalisers: new Float32Array(nodes.length) };
}

/** log( m(h, v) / sum of m(h, .) ) of a node's edges, where the user's scores begin at `offset`. */
function logShares(
  { childStart, itemLow, itemHigh, terminalHigh, itemOrder }: PrefixTrie,
  node: number,
  itemScores: ArrayLike<number>,
  offset: number,
): Float64Array {
  const [start, end] = [childStart[node], childStart[node + 1]];
  let highest = -Infinity;
  for (let at = terminalHigh[node]; at < itemHigh[node]; at++) {
    const score = itemScores[offset + itemOrder[at]];
    if (Number.isNaN(score) || score === Infinity)
      throw new IlrecError(
        `constrainedBeamSearch: guide.itemScores must be numbers, got ${score} for item ${itemOrder[at]}; the ` +
          "guide's weights have diverged",
      );
    if (score > highest) highest = score;
  }
  const shares = new Float64Array(end - start);
  if (highest === -Infinity) return shares.fill(-Math.log(end - start));
  let total = 0;
  for (let edge = start; edge < end; edge++) {
    let mass = 0;
    for (let at = itemLow[edge + 1]; at < itemHigh[edge + 1]; at++)
      mass += Math.exp(itemScores[offset + itemOrder[at]] - highest);
    shares[edge - start] = mass;
    total += mass;
  }
  return shares.map((mass) => Math.log(mass / total));
}
