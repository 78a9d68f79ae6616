import { IlrecError } from '../errors';

/** How widely lists spread over the catalogue, whoever gets them. */
export interface ListQuality {
  /** Share of the catalogue's items that are in at least one list, in [0, 1]. */
  readonly coverage: number;
  /** Gini coefficient of the items' counts, in [0, 1): 0 where all are recommended equally often. */
  readonly gini: number;
  /** Share of all recommendations that the three most recommended items have, in (0, 1]. */
  readonly top3Share: number;
}

/** Items of the top share. */
const TOP = 3;

/**
 * Measures how widely lists spread over the catalogue, from how often each item was recommended.
 *
 * ```
 * gini = sum over i of (2 i - N - 1) c_i / (N sum of c),   c_1 <= ... <= c_N
 * ```
 *
 * @param itemCounts how often each item is in a list, [N], 0 or more; `itemCounts` of `evaluateRecommender`.
 * @returns coverage, Gini coefficient and the share of the three most recommended items.
 * @throws IlrecError when there is no recommendation.
 * @example
 * ```ts
 * import { listQuality } from 'tfjs-ilrec';
 *
 * const { coverage, gini, top3Share } = listQuality([0, 1, 1, 2, 4]);
 * console.log(coverage, gini, top3Share); // 0.8 0.45 0.875
 * ```
 */
export function listQuality(itemCounts: ArrayLike<number>): ListQuality {
  const counts = Float64Array.from(itemCounts).sort();
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!(total > 0)) throw new IlrecError('listQuality: itemCounts must hold at least one recommendation, got none');
  const numItems = counts.length;
  const weighted = counts.reduce((sum, count, i) => sum + (2 * (i + 1) - numItems - 1) * count, 0);
  return {
    coverage: counts.filter((count) => count > 0).length / numItems,
    gini: weighted / (numItems * total),
    top3Share: counts.slice(-TOP).reduce((sum, count) => sum + count, 0) / total,
  };
}
