import type { CandidateBuffer } from '../../vocabulary/candidates';
import type { SparseFactors } from '../../vocabulary/sparse_rows';
import { PENALTIES, type Penalty } from '../penalty';

/** What decides which tokens are negatives of the response rows, on the CPU. */
export interface NegativeRule {
  /** y, [P]. */
  readonly labels: Int32Array;
  /** log sum e^z of z^L, [P]. */
  readonly finalLogSumExp: Float64Array;
  /** Of z~, [P]. */
  readonly ensembleLogSumExp: Float64Array;
  /** A token is a negative where its z~ is at least this, [P]: log(tau) + log sum e^z~. */
  readonly thresholds: Float64Array;
}

/** The negatives of one row, summed up. */
export interface RowNegatives {
  /** |N_t|. */
  readonly numNegatives: number;
  /** Sum of p^L over N_t. */
  readonly mass: number;
  /** Sum of p~ over N_t. */
  readonly ensembleMass: number;
  /** lse(z') - lse(z): 0 where nothing is raised. */
  readonly logTotal: number;
}

export const NO_NEGATIVES: RowNegatives = { numNegatives: 0, mass: 0, ensembleMass: 0, logTotal: 0 };

export interface FoundNegatives {
  /** Of each response row, [P]; null where the buffer does not hold what is needed. */
  readonly negatives: (RowNegatives | null)[];
  /** p' (1 + alpha w ds) - p e^-logTotal of every negative: what the penalty adds to E_p[W] e^-logTotal. */
  readonly changes: SparseFactors;
}

/**
 * A row whose negatives leave less than this of its probability is read again: the difference 1 - sum_N p has lost its
 * digits.
 */
export const MIN_REST = 0.01;

/**
 * Negatives, their weights and the penalised sum of each row, from the buffered tokens; in float64.
 *
 * ```
 * lse' = lse + log( 1 - sum_N p + sum_N e^(z' - lse) )
 * ```
 */
export function negativesFromCandidates(
  candidates: CandidateBuffer,
  rule: NegativeRule,
  penaltyWeight: number,
  penalty: Penalty,
): FoundNegatives {
  const changes: SparseFactors = { rows: [], tokens: [], factors: [] };
  const { ofNumber } = PENALTIES[penalty];
  const negatives = Array.from(rule.labels, (label, row): RowNegatives | null => {
    const { tokens, rankingLogits: ensembleLogits, logits, completeAbove } = candidates.of(row);
    const threshold = rule.thresholds[row];
    if (threshold <= completeAbove) return null;
    const members = Array.from(tokens.keys()).filter((i) => ensembleLogits[i] >= threshold && tokens[i] !== label);
    if (members.length === 0) return NO_NEGATIVES;
    const shares = members.map((i) => Math.exp(ensembleLogits[i] - rule.ensembleLogSumExp[row])); // p~
    const logProbs = members.map((i) => logits[i] - rule.finalLogSumExp[row]); // log p^L
    const ensembleMass = sum(shares);
    const mass = sum(logProbs.map(Math.exp));
    if (1 - mass < MIN_REST) return null;
    const raises = shares.map((share) => (penaltyWeight * share) / ensembleMass); // alpha w
    const penalties = members.map((i) => ofNumber(logits[i])); // s and ds
    const raised = logProbs.map((logProb, n) => logProb + raises[n] * penalties[n][0]); // z' - lse
    const shift = raised.reduce((most, value) => Math.max(most, value), 0);
    const logTotal =
      shift + Math.log((1 - mass) * Math.exp(-shift) + sum(raised.map((value) => Math.exp(value - shift))));
    members.forEach((i, n) => {
      changes.rows.push(row);
      changes.tokens.push(tokens[i]);
      changes.factors.push(
        Math.exp(raised[n] - logTotal) * (1 + raises[n] * penalties[n][1]) - Math.exp(logProbs[n] - logTotal),
      );
    });
    return { numNegatives: members.length, mass, ensembleMass, logTotal };
  });
  return { negatives, changes };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
