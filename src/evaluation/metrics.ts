/** A ranking metric with one relevant item per user: hit ratio, NDCG or mean reciprocal rank. */
export type MetricName = 'hr' | 'ndcg' | 'mrr';

/** The largest cutoff of the metrics that are computed by default: lists must hold as many items. */
export const LARGEST_CUTOFF = 10;

/** The rank of a target that is not in the list: 0. Other ranks count from 1. */
export const NOT_RANKED = 0;

/**
 * Computes what one user adds to a metric at cutoff k: 0 if the target is ranked after k or not at all, otherwise
 *
 * ```
 * hr = 1        ndcg = 1 / log2(rank + 1)        mrr = 1 / rank
 * ```
 *
 * @param metric 'hr', 'ndcg' or 'mrr'.
 * @param rank rank of the target, from 1, or 0 if it is not in the list.
 * @param k cutoff, 1 or more.
 * @returns a number in [0, 1].
 * @example
 * ```ts
 * import { gain } from 'tfjs-ilrec';
 *
 * console.log(gain('ndcg', 3, 10), gain('mrr', 4, 10), gain('hr', 11, 10)); // 0.5 0.25 0
 * ```
 */
export function gain(metric: MetricName, rank: number, k: number): number {
  if (rank === NOT_RANKED || rank > k) return 0;
  if (metric === 'hr') return 1;
  return metric === 'ndcg' ? 1 / Math.log2(rank + 1) : 1 / rank;
}

/**
 * Computes the gain of each user.
 *
 * @param metric 'hr', 'ndcg' or 'mrr'.
 * @param ranks rank of each target, from 1, or 0 if it is not in the list, [users].
 * @param k cutoff, 1 or more.
 * @returns gains in [0, 1], [users]; their mean is the metric.
 * @example
 * ```ts
 * import { gains } from 'tfjs-ilrec';
 *
 * console.log(gains('ndcg', [1, 3, 0], 10)); // Float64Array(3) [ 1, 0.5, 0 ]
 * ```
 */
export function gains(metric: MetricName, ranks: ArrayLike<number>, k: number): Float64Array {
  return Float64Array.from(ranks, (rank) => gain(metric, rank, k));
}

/**
 * Computes HR@k: the share of users whose target is among the first k items.
 *
 * @param ranks rank of each target, from 1, or 0 if it is not in the list, [users].
 * @param k cutoff, 1 or more.
 * @returns a number in [0, 1]; NaN without users.
 * @example
 * ```ts
 * import { hitRatio } from 'tfjs-ilrec';
 *
 * console.log(hitRatio([1, 3, 0, 12], 10)); // 0.5
 * ```
 */
export function hitRatio(ranks: ArrayLike<number>, k: number): number {
  return meanOf(gains('hr', ranks, k));
}

/**
 * Computes NDCG@k: the mean of 1 / log2(rank + 1) over users, where targets after the first k items count 0. With one
 * relevant item per user the ideal DCG is 1.
 *
 * @param ranks rank of each target, from 1, or 0 if it is not in the list, [users].
 * @param k cutoff, 1 or more.
 * @returns a number in [0, 1]; NaN without users.
 * @example
 * ```ts
 * import { ndcg } from 'tfjs-ilrec';
 *
 * console.log(ndcg([1, 3, 0, 12], 10)); // 0.375
 * ```
 */
export function ndcg(ranks: ArrayLike<number>, k: number): number {
  return meanOf(gains('ndcg', ranks, k));
}

/**
 * Computes MRR@k: the mean of 1 / rank over users, where targets after the first k items count 0.
 *
 * @param ranks rank of each target, from 1, or 0 if it is not in the list, [users].
 * @param k cutoff, 1 or more.
 * @returns a number in [0, 1]; NaN without users.
 * @example
 * ```ts
 * import { meanReciprocalRank } from 'tfjs-ilrec';
 *
 * console.log(meanReciprocalRank([1, 4, 0, 12], 10)); // 0.3125
 * ```
 */
export function meanReciprocalRank(ranks: ArrayLike<number>, k: number): number {
  return meanOf(gains('mrr', ranks, k));
}

/**
 * Finds the rank of an item in a list.
 *
 * @param target item number.
 * @param items item numbers, best first.
 * @returns the rank, from 1, or 0 (`NOT_RANKED`) if the item is not in the list.
 * @example
 * ```ts
 * import { rankOf } from 'tfjs-ilrec';
 *
 * console.log(rankOf(7, [4, 7, 2]), rankOf(5, [4, 7, 2])); // 2 0
 * ```
 */
export function rankOf(target: number, items: ArrayLike<number>): number {
  for (let i = 0; i < items.length; i++) if (items[i] === target) return i + 1;
  return NOT_RANKED;
}

/** The mean; NaN without values. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
