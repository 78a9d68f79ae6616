import type { Random } from '../random';
import { type Beams, logSumExpOfEdges, type Search } from './beam_expansion';
import type { TokenScores } from './token_scores';

/** How sequences are drawn in place of the best ones. */
export interface BeamSampling {
  readonly random: Random;
  /** tau, logits are divided by it; above 0. */
  readonly temperature: number;
}

/**
 * Draws sequences without replacement, by a beam search over perturbed log-probabilities (Kool et al., arXiv 1903.06059).
 *
 * ```
 * phi(h v) = phi(h) + log softmax over the children of h of z(v) / tau
 * G(h v) ~ Gumbel(phi(h v)), on condition that their maximum over v is G(h)
 * ```
 * The k highest leaves are k draws without replacement, and a beam of width k loses none of them. Items that the user
 * must not get are no leaves. Exact where no sequence is the beginning of another; a sequence that is has the
 * probability of its prefix.
 */
export class BeamDraws {
  /** phi of every node that was a candidate, by user. */
  private readonly logProbs: readonly Map<number, number>[];

  constructor(
    private readonly search: Pick<Search, 'trie' | 'complete' | 'excluded'>,
    private readonly sampling: BeamSampling,
  ) {
    this.logProbs = search.complete.map(() => new Map([[0, 0]]));
  }

  /** phi of a node. */
  logProbOf(user: number, node: number): number {
    return this.logProbs[user].get(node) as number;
  }

  /**
   * The scores of a step, which lead from the beams' G to that of their continuations.
   *
   * @param beams their scores are G, 0 at the root: the order of draws does not depend on it.
   */
  perturbed({ width, nodes, scores }: Beams, tokenScores: TokenScores): TokenScores {
    const { trie, complete, excluded } = this.search;
    const { logits, numColumns, columnOf } = tokenScores;
    const { childStart, childToken, itemLow, itemHigh } = trie;
    const { random, temperature } = this.sampling;
    const divided: TokenScores = { ...tokenScores, logits: logits.map((logit) => logit / temperature) };
    const mixed = new Float32Array(logits.length);
    for (let user = 0; user < complete.length; user++)
      for (let row = user * width; row < (user + 1) * width; row++) {
        const node = nodes[row];
        if (node < 0) continue;
        const [start, end] = [childStart[node], childStart[node + 1]];
        const offset = row * numColumns;
        const columns = Int32Array.from({ length: end - start }, (_, i) => {
          const token = childToken[start + i];
          return offset + (columnOf === null ? token : columnOf[token]);
        });
        columns.forEach((column, i) => {
          const child = start + i + 1;
          if (excluded[user]?.covers(itemLow[child], itemHigh[child])) divided.logits[column] = -Infinity;
        });
        const base = this.logProbOf(user, node) - logSumExpOfEdges(divided, offset, childToken, start, end);
        const drawn = Float64Array.from(columns, (column, i) => {
          const logProb = base + divided.logits[column];
          this.logProbs[user].set(start + i + 1, logProb);
          return logProb + gumbel(random);
        });
        const highest = drawn.reduce((most, value) => Math.max(most, value), -Infinity);
        columns.forEach((column, i) => (mixed[column] = belowMaximum(drawn[i], highest, scores[row]) - scores[row]));
      }
    return { logits: mixed, numColumns, columnOf, logNormalisers: new Float32Array(nodes.length) };
  }
}

/** A draw from Gumbel(0). */
export function gumbel(random: Random): number {
  return -Math.log(-Math.log(Math.max(random.next(), Number.MIN_VALUE)));
}

/**
 * Moves a Gumbel draw so that the maximum of its group becomes `maximum`: -log( e^-maximum - e^-highest + e^-drawn ),
 * without overflow.
 */
function belowMaximum(drawn: number, highest: number, maximum: number): number {
  if (drawn === -Infinity) return -Infinity;
  const v = maximum - drawn + Math.log1p(-Math.exp(drawn - highest));
  return maximum - Math.max(0, v) - Math.log1p(Math.exp(-Math.abs(v)));
}
