import { IlrecError } from '../errors';

/** Values summed by cluster, in the order in which the clusters first occur. */
export interface ClusterSums {
  /** One array per column, [clusters]. */
  readonly sums: Float64Array[];
  /** Values of each cluster, [clusters]. */
  readonly sizes: Float64Array;
}

/**
 * Sums values by cluster.
 *
 * @param caller the public function that errors name.
 * @param columns arrays of one value per case, [cases].
 * @param clusters the cluster of each case, [cases], any numbers; undefined: each case is a cluster.
 * @throws IlrecError when `clusters` has another length than the columns.
 */
export function clusterSums(
  caller: string,
  columns: readonly ArrayLike<number>[],
  clusters: ArrayLike<number> | undefined,
): ClusterSums {
  const numCases = columns[0]?.length ?? 0;
  if (clusters === undefined)
    return { sums: columns.map((column) => Float64Array.from(column)), sizes: new Float64Array(numCases).fill(1) };
  if (clusters.length !== numCases)
    throw new IlrecError(
      `${caller}: clusters must have one number per value, got ${clusters.length} for ${numCases} values`,
    );
  const places = new Map<number, number>();
  const placeOf = Int32Array.from(clusters, (cluster) => {
    if (!places.has(cluster)) places.set(cluster, places.size);
    return places.get(cluster) as number;
  });
  const summed = (valueOf: (index: number) => number): Float64Array => {
    const sums = new Float64Array(places.size);
    placeOf.forEach((place, i) => (sums[place] += valueOf(i)));
    return sums;
  };
  return { sums: columns.map((column) => summed((i) => column[i])), sizes: summed(() => 1) };
}
