import type { Penalty } from '../cross_layer_preference';
import type { CandidateBuffer } from '../../vocabulary/candidates';
import type { SparseFactors } from '../../vocabulary/sparse_rows';
import { type PenalisedRow, STRENGTHS, UNPENALISED } from './penalty';

/** What decides on the negatives of the response rows, on the CPU. */
export interface RowThresholds {
  readonly labels: Int32Array;
  /** log sum e^z of the final layer, [P]. */
  readonly final: Float64Array;
  /** Of z~, [P]. */
  readonly ensemble: Float64Array;
  /** A token is a negative where its z~ is at least this, [P]: log(tau) + the normaliser of z~. */
  readonly thresholds: Float64Array;
}

export interface FoundNegatives {
  /** Of each response row, [P]; null where the buffer does not hold what is needed. */
  readonly rows: (PenalisedRow | null)[];
  /** p' (1 + alpha w ds) - p e^-logTotal of every negative: what the penalty adds to E_p[W] e^-logTotal. */
  readonly changes: SparseFactors;
}

/** Where less than this is left of a row's probability without its negatives, the difference has lost its digits. */
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
  at: RowThresholds,
  penaltyWeight: number,
  penalty: Penalty,
): FoundNegatives {
  const changes: SparseFactors = { rows: [], tokens: [], factors: [] };
  const strengthOf = STRENGTHS[penalty];
  const rows = Array.from(at.labels, (label, row): PenalisedRow | null => {
    const { tokens, ensemble, final, complete } = candidates.of(row);
    const threshold = at.thresholds[row];
    if (threshold <= complete) return null;
    const negatives = Array.from(tokens.keys()).filter((i) => ensemble[i] >= threshold && tokens[i] !== label);
    if (negatives.length === 0) return UNPENALISED;
    const shares = negatives.map((i) => Math.exp(ensemble[i] - at.ensemble[row])); // p~
    const plain = negatives.map((i) => final[i] - at.final[row]); // log p
    const ensembleMass = sum(shares);
    const mass = sum(plain.map(Math.exp));
    if (1 - mass < MIN_REST) return null;
    const raises = shares.map((share) => (penaltyWeight * share) / ensembleMass); // alpha w
    const strengths = negatives.map((i) => strengthOf(final[i]));
    const raised = plain.map((logP, n) => logP + raises[n] * strengths[n][0]); // z' - lse
    const shift = raised.reduce((most, value) => Math.max(most, value), 0);
    const logTotal =
      shift + Math.log((1 - mass) * Math.exp(-shift) + sum(raised.map((value) => Math.exp(value - shift))));
    negatives.forEach((i, n) => {
      changes.rows.push(row);
      changes.tokens.push(tokens[i]);
      changes.factors.push(
        Math.exp(raised[n] - logTotal) * (1 + raises[n] * strengths[n][1]) - Math.exp(plain[n] - logTotal),
      );
    });
    return { numNegatives: negatives.length, mass, ensembleMass, logTotal };
  });
  return { rows, changes };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
