import type { RewardEntries } from '../reward';
import type { SparseFactors } from '../../vocabulary/sparse_rows';
import type { NegativeRule } from './negatives';

/** The collaborative reward of each response row. */
export interface RewardRows {
  /** -sum_v r(v) log p^L(v), [P]. */
  readonly losses: Float64Array;
  /** r, where it is not 0. */
  readonly shares: SparseFactors;
}

/**
 * r_t = c_t restricted to N_t and y_t, renormalised; a row on which c has no mass falls back to its label. In float64.
 *
 * @param entryLogits z^L of the entries' tokens, [K], and z~ of them, if there are negatives.
 * @param labelLogits z^L(y), [P].
 */
export function rewardRows(
  { rows, tokens, masses }: Omit<RewardEntries, 'masses'> & { readonly masses: ArrayLike<number> },
  [logits, ensembleLogits]: readonly Float32Array[],
  labelLogits: ArrayLike<number>,
  { labels, finalLogSumExp, thresholds }: NegativeRule,
): RewardRows {
  const counts = (i: number): boolean =>
    tokens[i] === labels[rows[i]] || (ensembleLogits !== undefined && ensembleLogits[i] >= thresholds[rows[i]]);
  const totals = new Float64Array(labels.length);
  for (let i = 0; i < rows.length; i++) if (counts(i)) totals[rows[i]] += masses[i];
  const losses = Float64Array.from(totals, (total, row) => (total > 0 ? 0 : finalLogSumExp[row] - labelLogits[row]));
  const shares: SparseFactors = { rows: [], tokens: [], factors: [] };
  const add = (row: number, token: number, share: number): void => {
    shares.rows.push(row);
    shares.tokens.push(token);
    shares.factors.push(share);
  };
  totals.forEach((total, row) => {
    if (!(total > 0)) add(row, labels[row], 1);
  });
  for (let i = 0; i < rows.length; i++) {
    if (!counts(i) || masses[i] === 0) continue;
    const row = rows[i];
    const share = masses[i] / totals[row];
    losses[row] += share * (finalLogSumExp[row] - logits[i]);
    add(row, tokens[i], share);
  }
  return { losses, shares };
}
