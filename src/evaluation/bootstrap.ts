import { IlrecError } from '../errors';
import { createRandom } from '../random';

/** Options of `bootstrapInterval` and `bootstrapIntervals`. */
export interface BootstrapOptions {
  /** How often users are drawn with replacement, 1 or more. Default 1000. */
  resamples?: number;
  /** Seed of the draws, any integer. Default 0. */
  seed?: number;
  /** Share of the resampled means inside the interval, in (0, 1). Default 0.95. */
  level?: number;
}

/** An interval as [low, high]. */
export type Interval = readonly [number, number];

/**
 * Computes the percentile-bootstrap interval of a mean over users.
 *
 * @param values one value per user, [users], at least one.
 * @param options resamples, seed and level; see `BootstrapOptions`.
 * @returns [low, high].
 * @throws IlrecError when there is no user, or `resamples` or `level` is out of range.
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
  return intervalsOf([values], options)[0];
}

/**
 * Computes percentile-bootstrap intervals of the means of several quantities of the same users. All columns share the
 * draws of users.
 *
 * @param columns [M] arrays of one value per user, all of one length of at least 1.
 * @param options resamples, seed and level; see `BootstrapOptions`.
 * @returns [M] intervals; quantiles are interpolated linearly between resampled means.
 * @throws IlrecError when there is no user, columns differ in length, or `resamples` or `level` is out of range.
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
  return intervalsOf(columns, options);
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
  columns: readonly ArrayLike<number>[],
  { resamples = 1000, seed = 0, level = 0.95 }: BootstrapOptions,
): Interval[] {
  const numUsers = columns[0]?.length ?? 0;
  // Users with the same values in all columns are one kind: a table of the few kinds fits the cache, one of all users
  // does not.
  const { kindOfUser, kinds } = groupUsers(columns, numUsers);
  const random = createRandom(seed);
  const means = columns.map(() => new Float64Array(resamples));
  const drawn = new Uint32Array(kinds.length);
  for (let r = 0; r < resamples; r++) {
    drawn.fill(0);
    for (let i = 0; i < numUsers; i++) drawn[kindOfUser[Math.floor(random.next() * numUsers)]]++;
    means.forEach((mean, m) => {
      let sum = 0;
      for (let kind = 0; kind < drawn.length; kind++) sum += drawn[kind] * columns[m][kinds[kind]];
      mean[r] = sum / numUsers;
    });
  }
  const tail = (1 - level) / 2;
  return means.map((mean) => {
    mean.sort();
    return [quantile(mean, tail), quantile(mean, 1 - tail)];
  });
}

/** Groups users with the same values in all columns. `kinds` is the first user of each kind. */
function groupUsers(
  columns: readonly ArrayLike<number>[],
  numUsers: number,
): { kindOfUser: Int32Array; kinds: number[] } {
  const kindOfUser = new Int32Array(numUsers);
  const kinds: number[] = [];
  const known = new Map<string, number>();
  for (let user = 0; user < numUsers; user++) {
    const key = columns.map((column) => column[user]).join();
    let kind = known.get(key);
    if (kind === undefined) {
      kind = kinds.push(user) - 1;
      known.set(key, kind);
    }
    kindOfUser[user] = kind;
  }
  return { kindOfUser, kinds };
}

/** Quantile of ascending values, by linear interpolation. @param q in [0, 1]. */
function quantile(sorted: Float64Array, q: number): number {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
