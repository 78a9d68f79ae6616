/** A ranking metric with one relevant item per user. */
export type MetricName = 'hr' | 'ndcg' | 'mrr';

/** Ranks count from 1; 0 stands for a target that is not in the list. */
export const NOT_RANKED = 0;

/**
 * What one user adds to a metric at cutoff k; 0 where the target is ranked below k or not at all.
 *
 * ```
 * hr = 1        ndcg = 1 / log2(rank + 1)        mrr = 1 / rank
 * ```
 */
export function gain(metric: MetricName, rank: number, k: number): number {
  if (rank === NOT_RANKED || rank > k) return 0;
  if (metric === 'hr') return 1;
  return metric === 'ndcg' ? 1 / Math.log2(rank + 1) : 1 / rank;
}

/** Each user's gain, [users]. */
export function gains(metric: MetricName, ranks: ArrayLike<number>, k: number): Float64Array {
  return Float64Array.from(ranks, (rank) => gain(metric, rank, k));
}

/** Share of users whose target is among the first k. */
export function hitRatio(ranks: ArrayLike<number>, k: number): number {
  return meanOf(gains('hr', ranks, k));
}

/** Mean of 1 / log2(rank + 1) within the first k; with one relevant item the ideal is 1, so this is NDCG@k. */
export function ndcg(ranks: ArrayLike<number>, k: number): number {
  return meanOf(gains('ndcg', ranks, k));
}

/** Mean of 1 / rank within the first k. */
export function meanReciprocalRank(ranks: ArrayLike<number>, k: number): number {
  return meanOf(gains('mrr', ranks, k));
}

/** The rank of `target` in a list, from 1, or `NOT_RANKED`. */
export function rankOf(target: number, items: ArrayLike<number>): number {
  for (let i = 0; i < items.length; i++) if (items[i] === target) return i + 1;
  return NOT_RANKED;
}

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
