import { IlrecError } from '../errors';
import { bootstrapInterval, type BootstrapOptions, type Interval } from './bootstrap';
import { gain, meanOf, type MetricName } from './metrics';
import { signFlipTest } from './sign_flip_test';

export interface PairedDifferenceOptions extends Omit<BootstrapOptions, 'level'> {
  /** Default 'ndcg'. */
  metric?: MetricName;
  /** Cutoff; default 10. */
  k?: number;
  /** Random sign assignments of the test; default 10,000. */
  permutations?: number;
}

export interface PairedDifference {
  readonly metric: string;
  /** Mean of a minus mean of b. */
  readonly difference: number;
  /** 95 % paired bootstrap interval of the difference, over users. */
  readonly ci95: Interval;
  /** Two-sided paired sign-flip randomisation test over users. */
  readonly pValue: number;
  readonly meanA: number;
  readonly meanB: number;
  readonly users: number;
  readonly seedsA: number;
  readonly seedsB: number;
  /** What was done, in words. */
  readonly protocol: string;
}

/**
 * Compares two methods over the same users. A user's metric is averaged over the seeds first, and users are what is resampled: the interval and the test speak of
 * other users under these trained models, not of other seeds.
 *
 * @param a ranks of method a, [seeds][users], from 1, 0 where the target is not ranked; user u is the same user in every array.
 * @param b ranks of method b, [seeds][users]; the number of seeds may differ.
 * @throws IlrecError when an array is missing or the numbers of users differ.
 */
export function pairedDifference(
  a: readonly ArrayLike<number>[],
  b: readonly ArrayLike<number>[],
  { metric = 'ndcg', k = 10, resamples = 1000, permutations = 10_000, seed = 0 }: PairedDifferenceOptions = {},
): PairedDifference {
  const users = a[0]?.length ?? 0;
  if (users === 0 || b.length === 0)
    throw new IlrecError('pairedDifference: each method must have the ranks of at least one seed and user, got none');
  for (const ranks of [...a, ...b]) {
    if (ranks.length !== users)
      throw new IlrecError(
        `pairedDifference: all runs must rank the same users, got ${users} and ${ranks.length} users`,
      );
  }
  const gainsA = meanGains(a, metric, k);
  const gainsB = meanGains(b, metric, k);
  const differences = gainsA.map((value, user) => value - gainsB[user]);
  return {
    metric: `${metric}@${k}`,
    difference: meanOf(differences),
    ci95: bootstrapInterval(differences, { resamples, seed, level: 0.95 }),
    pValue: signFlipTest(differences, { permutations, seed }),
    meanA: meanOf(gainsA),
    meanB: meanOf(gainsB),
    users,
    seedsA: a.length,
    seedsB: b.length,
    protocol:
      `paired over ${users} users, each user's ${metric}@${k} averaged over seeds (${a.length} and ${b.length}); ` +
      `95 % percentile bootstrap, ${resamples} resamples of users; two-sided sign-flip test, ${permutations} permutations; seed ${seed}`,
  };
}

/** Each user's gain, averaged over seeds, [users]. */
function meanGains(ranks: readonly ArrayLike<number>[], metric: MetricName, k: number): Float64Array {
  return Float64Array.from(
    { length: ranks[0].length },
    (_, user) => ranks.reduce((sum, run) => sum + gain(metric, run[user], k), 0) / ranks.length,
  );
}
