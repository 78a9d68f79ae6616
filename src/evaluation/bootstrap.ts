import { IlrecError } from '../errors';
import { createRandom } from '../random';
import { clusterSums } from './clusters';

/** Options of `bootstrapInterval` and `bootstrapIntervals`. */
export interface BootstrapOptions {
  /** How often users are drawn with replacement, 1 or more. Default 1000. */
  resamples?: number;
  /** Seed of the draws, any integer. Default 0. */
  seed?: number;
  /** Share of the resampled means inside the interval, in (0, 1). Default 0.95. */
  level?: number;
  /**
   * The cluster of each value, [values], such as its user where a user has several cases. Clusters are drawn whole, and
   * a resampled mean is over the values of the drawn clusters. Default: each value is a cluster of its own.
   */
  clusters?: ArrayLike<number>;
}

/** An interval as [low, high]. */
export type Interval = readonly [number, number];

/**
 * Computes the percentile-bootstrap interval of a mean over users. Users are drawn with replacement, with all of their
 * values where `clusters` says which those are.
 *
 * @param values one value per user, [users], at least one; with `clusters` one per case.
 * @param options resamples, seed, level and clusters; see `BootstrapOptions`.
 * @returns [low, high].
 * @throws IlrecError when there is no user, `resamples` or `level` is out of range, or `clusters` has another length.
 * @example
 * ```ts
 * import { bootstrapInterval } from 'tfjs-ilrec';
 *
 * const [low, high] = bootstrapInterval([0, 1, 1, 0, 1, 1, 0, 1]); // mean 0.625
 * console.log(low, high); // 0.25 1
 * ```
 */
export function bootstrapInterval(values: ArrayLike<number>, options: BootstrapOptions = {}): Interval {
  checkBootstrap('bootstrapInterval', [values], options);
  return intervalsOf('bootstrapInterval', [values], options)[0];
}

/**
 * Computes percentile-bootstrap intervals of the means of several quantities of the same users. All columns share the
 * draws of users.
 *
 * @param columns [M] arrays of one value per user, all of one length of at least 1.
 * @param options resamples, seed, level and clusters; see `BootstrapOptions`.
 * @returns [M] intervals; quantiles are interpolated linearly between resampled means.
 * @throws IlrecError when there is no user, columns or `clusters` differ in length, or `resamples` or `level` is out of
 *   range.
 * @example
 * ```ts
 * import { bootstrapIntervals, gains } from 'tfjs-ilrec';
 *
 * const ranks = [1, 3, 0, 2, 1, 0, 5, 1];
 * const [hitRatio, ndcg] = bootstrapIntervals([gains('hr', ranks, 10), gains('ndcg', ranks, 10)]);
 * console.log(hitRatio, ndcg[0].toFixed(3), ndcg[1].toFixed(3)); // [ 0.375, 1 ] 0.266 0.829
 * ```
 */
export function bootstrapIntervals(columns: readonly ArrayLike<number>[], options: BootstrapOptions = {}): Interval[] {
  checkBootstrap('bootstrapIntervals', columns, options);
  return intervalsOf('bootstrapIntervals', columns, options);
}

/**
 * Checks a number of resamples.
 *
 * @param caller the public function that errors name.
 * @throws IlrecError when it is not an integer of at least 1.
 */
export function checkResamples(caller: string, resamples: number): void {
  if (!Number.isInteger(resamples) || resamples < 1)
    throw new IlrecError(`${caller}: resamples must be an integer of at least 1, got ${resamples}; 1000 is usual`);
}

function checkBootstrap(
  caller: string,
  columns: readonly ArrayLike<number>[],
  { resamples = 1000, level = 0.95 }: BootstrapOptions,
): void {
  checkResamples(caller, resamples);
  if (!(level > 0 && level < 1))
    throw new IlrecError(`${caller}: level must be between 0 and 1, got ${level}; 0.95 is usual`);
  for (const column of columns) {
    if (column.length === 0) throw new IlrecError(`${caller}: there must be at least one user, got 0`);
    if (column.length !== columns[0].length)
      throw new IlrecError(
        `${caller}: columns must have one length, got ${columns[0].length} and ${column.length}; give each the ` +
          'same users',
      );
  }
}

function intervalsOf(
  caller: string,
  columns: readonly ArrayLike<number>[],
  { resamples = 1000, seed = 0, level = 0.95, clusters }: BootstrapOptions,
): Interval[] {
  const { sums, sizes } = clusterSums(caller, columns, clusters);
  const numClusters = sizes.length;
  // Clusters with the same values in all columns are one kind: a table of the few kinds fits the cache, one of all
  // clusters does not.
  const { kindOf, kinds } = groupAlike([...sums, sizes], numClusters);
  const random = createRandom(seed);
  const means = columns.map(() => new Float64Array(resamples));
  const drawn = new Uint32Array(kinds.length);
  for (let r = 0; r < resamples; r++) {
    drawn.fill(0);
    for (let i = 0; i < numClusters; i++) drawn[kindOf[Math.floor(random.next() * numClusters)]]++;
    const sumOf = (values: Float64Array): number => {
      let sum = 0;
      for (let kind = 0; kind < drawn.length; kind++) sum += drawn[kind] * values[kinds[kind]];
      return sum;
    };
    const count = sumOf(sizes);
    means.forEach((mean, m) => (mean[r] = sumOf(sums[m]) / count));
  }
  const tail = (1 - level) / 2;
  return means.map((mean) => {
    mean.sort();
    return [quantile(mean, tail), quantile(mean, 1 - tail)];
  });
}

/** Groups clusters with the same values in all columns. `kinds` is the first cluster of each kind. */
function groupAlike(columns: readonly Float64Array[], numClusters: number): { kindOf: Int32Array; kinds: number[] } {
  const kindOf = new Int32Array(numClusters);
  const kinds: number[] = [];
  const known = new Map<string, number>();
  for (let cluster = 0; cluster < numClusters; cluster++) {
    const key = columns.map((column) => column[cluster]).join();
    let kind = known.get(key);
    if (kind === undefined) {
      kind = kinds.push(cluster) - 1;
      known.set(key, kind);
    }
    kindOf[cluster] = kind;
  }
  return { kindOf, kinds };
}

/** Quantile of ascending values, by linear interpolation. @param q in [0, 1]. */
function quantile(sorted: Float64Array, q: number): number {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
