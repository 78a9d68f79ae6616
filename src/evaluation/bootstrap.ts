import { IlrecError } from '../errors';
import { createRandom } from '../random';

export interface BootstrapOptions {
  /** How often the users are drawn again, with replacement; default 1000. */
  resamples?: number;
  /** Default 0. */
  seed?: number;
  /** Share of the resampled means inside the interval, in (0, 1); default 0.95. */
  level?: number;
}

/** [low, high]. */
export type Interval = readonly [number, number];

/** Percentile-bootstrap interval of the mean of one value per user. */
export function bootstrapInterval(values: ArrayLike<number>, options: BootstrapOptions = {}): Interval {
  return bootstrapIntervals([values], options)[0];
}

/**
 * Percentile-bootstrap intervals of the means of several quantities of the same users. Each resample draws users once and serves all columns.
 *
 * @param columns [M] arrays of one value per user, all of one length of at least 1.
 * @returns [M] intervals, quantiles interpolated linearly between resampled means.
 */
export function bootstrapIntervals(
  columns: readonly ArrayLike<number>[],
  { resamples = 1000, seed = 0, level = 0.95 }: BootstrapOptions = {},
): Interval[] {
  if (!Number.isInteger(resamples) || resamples < 1)
    throw new IlrecError(`bootstrapIntervals: resamples must be an integer of at least 1, got ${resamples}`);
  if (!(level > 0 && level < 1))
    throw new IlrecError(`bootstrapIntervals: level must lie between 0 and 1, got ${level}`);
  const numUsers = columns[0]?.length ?? 0;
  for (const column of columns) {
    if (column.length === 0) throw new IlrecError('bootstrapIntervals: there must be at least one user, got 0');
    if (column.length !== numUsers)
      throw new IlrecError(`bootstrapIntervals: columns must have one length, got ${numUsers} and ${column.length}`);
  }
  // Users with the same values in each column are one kind: a table of the few kinds stays in the cache, unlike one of all users.
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

/** @param kinds the first user of each kind. */
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

/** Quantile of ascending values by linear interpolation. @param q in [0, 1]. */
function quantile(sorted: Float64Array, q: number): number {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
