import { IlrecError } from '../errors';

/** How widely lists spread over the catalogue, whoever gets them. */
export interface ListQuality {
  /** Share of the catalogue's items that are in at least one list, in [0, 1]. */
  readonly coverage: number;
  /** Gini coefficient of the items' counts, in [0, 1): 0 where all are recommended equally often. */
  readonly gini: number;
  /** Share of all recommendations that the three most recommended items have, in (0, 1]. */
  readonly top3Share: number;
  /** Share that the ten most popular items of the training data have, in [0, 1]; NaN where these are not given. */
  readonly popular10Share: number;
}

/** The most recommended items of `top3Share`, and the most popular ones of `popular10Share`. */
const [TOP, POPULAR] = [3, 10];

/**
 * Measures how widely lists spread over the catalogue, from how often each item was recommended.
 *
 * ```
 * gini = sum over i of (2 i - N - 1) c_i / (N sum of c),   c_1 <= ... <= c_N
 * ```
 *
 * @param itemCounts how often each item is in a list, [N], 0 or more; `itemCounts` of `evaluateRecommender`.
 * @param trainingCounts training interactions of each item, [N], for the share of the most popular; of equally popular
 *   items the lower number counts first. Default none.
 * @returns coverage, Gini coefficient, the share of the three most recommended items and that of the ten most popular.
 * @throws IlrecError when there is no recommendation, or `trainingCounts` has another length.
 * @example
 * ```ts
 * import { listQuality } from 'tfjs-ilrec';
 *
 * const { coverage, gini, top3Share } = listQuality([0, 1, 1, 2, 4]);
 * console.log(coverage, gini, top3Share); // 0.8 0.45 0.875
 * ```
 */
export function listQuality(itemCounts: ArrayLike<number>, trainingCounts?: ArrayLike<number>): ListQuality {
  if (trainingCounts !== undefined && trainingCounts.length !== itemCounts.length)
    throw new IlrecError(
      `listQuality: trainingCounts must have one number per item, got ${trainingCounts.length} for ` +
        `${itemCounts.length} items`,
    );
  const counts = Float64Array.from(itemCounts).sort();
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!(total > 0)) throw new IlrecError('listQuality: itemCounts must hold at least one recommendation, got none');
  const numItems = counts.length;
  const weighted = counts.reduce((sum, count, i) => sum + (2 * (i + 1) - numItems - 1) * count, 0);
  return {
    coverage: counts.filter((count) => count > 0).length / numItems,
    gini: weighted / (numItems * total),
    popular10Share: trainingCounts === undefined ? NaN : popularShare(itemCounts, trainingCounts, total),
    top3Share: counts.slice(-TOP).reduce((sum, count) => sum + count, 0) / total,
  };
}

function popularShare(itemCounts: ArrayLike<number>, trainingCounts: ArrayLike<number>, total: number): number {
  const popular = Array.from(trainingCounts, (_, item) => item)
    .sort((a, b) => trainingCounts[b] - trainingCounts[a] || a - b)
    .slice(0, POPULAR);
  return popular.reduce((sum, item) => sum + itemCounts[item], 0) / total;
}
