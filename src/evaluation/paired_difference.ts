import { IlrecError } from '../errors';
import { bootstrapInterval, type BootstrapOptions, checkResamples, type Interval } from './bootstrap';
import { clusterSums } from './clusters';
import { gain, meanOf, type MetricName } from './metrics';
import { checkPermutations, signFlipTest } from './sign_flip_test';

/** Options of `pairedDifference`. */
export interface PairedDifferenceOptions extends Omit<BootstrapOptions, 'level'> {
  /** What to compare. Default 'ndcg'. */
  metric?: MetricName;
  /** Cutoff, 1 or more. Default 10. */
  k?: number;
  /** Random sign assignments of the test, 1 or more. Default 10,000. */
  permutations?: number;
}

/** What `pairedDifference` returns. */
export interface PairedDifference {
  /** Metric and cutoff, such as 'ndcg@10'. */
  readonly metric: string;
  /** Mean of a minus mean of b. */
  readonly difference: number;
  /** 95 % paired bootstrap interval of the difference, over users, or over clusters where they were given. */
  readonly ci95: Interval;
  /** Two-sided p-value of the paired sign-flip test over users or clusters, in (0, 1]. */
  readonly pValue: number;
  /** The metric of a, averaged over seeds. */
  readonly meanA: number;
  /** The metric of b, averaged over seeds. */
  readonly meanB: number;
  /** Users compared. */
  readonly users: number;
  /** Cases compared: one per user, or more where `clusters` says so. */
  readonly rows: number;
  /** Runs of a. */
  readonly seedsA: number;
  /** Runs of b. */
  readonly seedsB: number;
  /** How the numbers were made, as a sentence. */
  readonly protocol: string;
}

/**
 * Compares two methods over the same users. Each user's metric is first averaged over the seeds, then users are
 * resampled. The interval and the test therefore tell about other users of these trained models, not about other seeds.
 * Where a user has several cases, `clusters` names the user of each: users are then drawn whole, and the test flips the
 * sign of the sum of a user's differences.
 *
 * @param a ranks of method a, [seeds][users], from 1, or 0 for a target that is not ranked. User u is the same user in
 *   all arrays.
 * @param b ranks of method b, [seeds][users]; the number of seeds may differ.
 * @param options metric, cutoff, resamples, permutations, seed and clusters; see
 *   `PairedDifferenceOptions`.
 * @returns the difference of the means, its interval and its p-value.
 * @throws IlrecError when a method has no ranks, the numbers of users differ, `clusters` has another length, or
 *   `resamples` or `permutations` is out of range.
 * @example
 * ```ts
 * import { pairedDifference } from 'tfjs-ilrec';
 *
 * const ilrec = [[1, 2, 1, 4, 1, 3]]; // one seed, six users
 * const sft = [[2, 5, 1, 0, 3, 3]];
 * const { metric, difference, pValue } = pairedDifference(ilrec, sft);
 * console.log(metric, difference.toFixed(4), pValue); // ndcg@10 0.2573 0.125
 * ```
 */
export function pairedDifference(
  a: readonly ArrayLike<number>[],
  b: readonly ArrayLike<number>[],
  {
    metric = 'ndcg',
    k = 10,
    resamples = 1000,
    permutations = 10_000,
    seed = 0,
    clusters,
  }: PairedDifferenceOptions = {},
): PairedDifference {
  const rows = a[0]?.length ?? 0;
  if (rows === 0 || b.length === 0)
    throw new IlrecError('pairedDifference: each method must have the ranks of at least one seed and user, got none');
  for (const ranks of [...a, ...b]) {
    if (ranks.length !== rows)
      throw new IlrecError(
        `pairedDifference: all runs must rank the same users, got ${rows} and ${ranks.length} users; evaluate ` +
          'them with the same users option',
      );
  }
  checkResamples('pairedDifference', resamples);
  checkPermutations('pairedDifference', permutations);
  const gainsA = meanGains(a, metric, k);
  const gainsB = meanGains(b, metric, k);
  const differences = gainsA.map((value, user) => value - gainsB[user]);
  const { sums, sizes } = clusterSums('pairedDifference', [differences], clusters);
  return {
    metric: `${metric}@${k}`,
    difference: meanOf(differences),
    ci95: bootstrapInterval(differences, { resamples, seed, level: 0.95, clusters }),
    pValue: signFlipTest(sums[0], { permutations, seed }),
    meanA: meanOf(gainsA),
    meanB: meanOf(gainsB),
    users: sizes.length,
    rows,
    seedsA: a.length,
    seedsB: b.length,
    protocol:
      `paired over ${rows} ${clusters === undefined ? 'users' : `cases of ${sizes.length} users`}, each ` +
      `${clusters === undefined ? 'user' : 'case'}'s ${metric}@${k} averaged over seeds (${a.length} and ` +
      `${b.length}); 95 % percentile bootstrap, ${resamples} resamples of users; two-sided sign-flip test, ` +
      `${permutations} permutations; seed ${seed}`,
  };
}

/** Each user's gain, averaged over seeds, [users]. */
function meanGains(ranks: readonly ArrayLike<number>[], metric: MetricName, k: number): Float64Array {
  return Float64Array.from(
    { length: ranks[0].length },
    (_, user) => ranks.reduce((sum, run) => sum + gain(metric, run[user], k), 0) / ranks.length,
  );
}
