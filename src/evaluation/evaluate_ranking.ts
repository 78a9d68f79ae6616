import { IlrecError } from '../errors';
import { createRandom } from '../random';
import { bootstrapIntervals, checkResamples, type Interval } from './bootstrap';
import { gains, LARGEST_CUTOFF, meanOf, rankOf, type MetricName } from './metrics';
import type { EvaluationProtocol } from './protocol';
import type { Recommender } from './recommenders';

/** A metric and its cutoff, such as 'ndcg@10'. */
export type MetricKey = `${MetricName}@${number}`;

/** Options of `evaluateRecommender`: a recommender, the targets, and what to measure. */
export interface EvaluateOptions extends Recommender {
  /** The item number that each user should be recommended, [users]. */
  targets: ArrayLike<number>;
  /** Which items of the users the targets are, for the protocol. */
  split: 'valid' | 'test';
  /** Where the targets come from, for the protocol. Default 'leave-one-out'. */
  holdOut?: EvaluationProtocol['holdOut'];
  /**
   * Cutoffs, 1 to the length of the lists: HR at each, NDCG at each above 1, MRR at the largest. Default [1, 5, 10].
   */
  ks?: readonly number[];
  /** How many users to draw without replacement, 1 or more, or their user numbers. Default all. */
  users?: number | readonly number[];
  /**
   * A number that the targets of one user share, [users], where users have several. Intervals then draw users with all
   * of their targets. Default: each target is of another user.
   */
  clusters?: ArrayLike<number>;
  /** Users per call of `recommend`, 1 or more; the last batch may be smaller. Default 64. */
  batchSize?: number;
  /** Seed of the draw of users and of the bootstrap, any integer. Default 0. */
  seed?: number;
  /** Bootstrap resamples, 1 or more. Default 1000. */
  resamples?: number;
  /** Called after each batch with the number of users done and of all. */
  onProgress?(done: number, total: number): void;
}

/** What `evaluateRecommender` returns: one number per metric, such as `result['ndcg@10']`, and what is listed here. */
export type EvaluationResult = { [metric in MetricKey]: number } & {
  /** Users counted. */
  readonly users: number;
  /** Targets counted: one per user, or more where `clusters` says that users have several rows. */
  readonly rows: number;
  /** Entries of the lists that are not item numbers of the catalogue, or occur twice in a list. */
  readonly invalidItems: number;
  /** 95 % percentile-bootstrap interval of each metric, over users. */
  readonly ci95: Record<MetricKey, Interval>;
  /** How the lists and the numbers were made; `protocolText` prints it. */
  readonly protocol: EvaluationProtocol;
  /**
   * Rank of each target, from 1, or 0 if it is not in the list, in the order of `evaluatedUsers`. `pairedDifference`
   * compares them.
   */
  readonly ranks: Int32Array;
  /** User numbers, ascending unless the caller gave them. */
  readonly evaluatedUsers: Int32Array;
  /** How many users have each item among the first ones of their list, up to the largest cutoff, [N]. */
  readonly itemCounts: Int32Array;
};

/**
 * Evaluates a recommender over the whole catalogue: HR, NDCG and MRR with bootstrap intervals, the rank of each target,
 * and the protocol.
 *
 * @param options a recommender (`beamSearchRecommender`, `scorerRecommender` or your own), targets and settings; see
 *   `EvaluateOptions`.
 * @returns the metrics, their intervals, the ranks and the protocol.
 * @throws IlrecError when there are no users, a target or user is not in range, `clusters` has another length, a cutoff
 *   is above the length of the lists or above the beam width, an option is out of range, or `recommend` does not return
 *   one list per user.
 * @example
 * ```ts
 * import { demoCatalogue, evaluateRecommender, leaveOneOut, markovScorer, scorerRecommender } from 'tfjs-ilrec';
 *
 * const data = demoCatalogue({ numItems: 40, numUsers: 60 });
 * const { train, validation } = leaveOneOut(data);
 * const scorer = markovScorer(train, data.itemIds.length);
 * const recommender = scorerRecommender({ scorer, histories: train });
 * const result = await evaluateRecommender({ ...recommender, targets: validation, split: 'valid' });
 * console.log(result['hr@10'].toFixed(3), result.users, result.invalidItems); // 0.700 60 0
 * ```
 */
export async function evaluateRecommender(options: EvaluateOptions): Promise<EvaluationResult> {
  const {
    targets,
    numItems,
    ranking,
    split,
    holdOut = 'leave-one-out',
    ks = [1, 5, LARGEST_CUTOFF],
    batchSize = 64,
    seed = 0,
    resamples = 1000,
    onProgress,
  } = options;
  checkOptions(options, ks, batchSize);
  checkResamples('evaluateRecommender', resamples);
  const evaluatedUsers = chooseUsers(targets.length, options.users, seed);
  const order = orderByCost(evaluatedUsers, options.costOf?.bind(options));
  const ranks = new Int32Array(evaluatedUsers.length);
  const itemCounts = new Int32Array(numItems);
  const cutoff = Math.max(...ks);
  let [invalidItems, shortLists] = [0, 0];
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = order.slice(start, start + batchSize); // positions in evaluatedUsers
    const lists = await options.recommend(batch.map((position) => evaluatedUsers[position]));
    if (lists.length !== batch.length)
      throw new IlrecError(
        `evaluateRecommender: recommend must return one list per user, got ${lists.length} lists for ` +
          `${batch.length} users`,
      );
    batch.forEach((position, i) => {
      ranks[position] = rankOf(targets[evaluatedUsers[position]], lists[i]);
      if (lists[i].length < cutoff) shortLists++;
      invalidItems += countInvalid(lists[i], numItems);
      // an invalid entry is no index of the counts, and is not counted
      for (let place = 0; place < Math.min(cutoff, lists[i].length); place++) itemCounts[lists[i][place]]++;
    });
    onProgress?.(start + batch.length, order.length);
  }

  const metrics = metricsOf(ks);
  const columns = metrics.map(({ metric, k }) => gains(metric, ranks, k));
  const { clusters } = options;
  const clusterOf = clusters && Int32Array.from(evaluatedUsers, (user) => clusters[user]);
  const intervals = bootstrapIntervals(columns, { resamples, seed, level: 0.95, clusters: clusterOf });
  const values = Object.fromEntries(metrics.map(({ key }, m) => [key, meanOf(columns[m])])) as Record<
    MetricKey,
    number
  >;
  const rows = evaluatedUsers.length;
  const users = clusterOf === undefined ? rows : new Set(clusterOf).size;
  const protocol: EvaluationProtocol = {
    split,
    holdOut,
    ...ranking,
    users: rows,
    usersTotal: targets.length,
    ...(shortLists > 0 && { shortLists: { lists: shortLists, cutoff } }),
    userSeed: typeof options.users === 'number' && users < targets.length ? seed : null,
    bootstrap: {
      resamples,
      seed,
      level: 0.95,
      ...(clusterOf !== undefined && { clusters: users }),
    },
  };
  const ci95 = Object.fromEntries(metrics.map(({ key }, m) => [key, intervals[m]])) as Record<MetricKey, Interval>;
  return { ...values, users, rows, invalidItems, ci95, protocol, ranks, evaluatedUsers, itemCounts };
}

/**
 * Removes the arrays over users and items from a result, as `ilrec evaluate --json` prints it.
 *
 * @param result what `evaluateRecommender` returned.
 * @returns the result without `ranks`, `evaluatedUsers` and `itemCounts`.
 * @example
 * ```ts
 * import { evaluateRecommender, evaluationSummary, popularityScorer, scorerRecommender } from 'tfjs-ilrec';
 *
 * const recommender = scorerRecommender({ scorer: popularityScorer([[2, 0], [2, 1]], 4), histories: [[0], [1]] });
 * const result = await evaluateRecommender({ ...recommender, targets: [2, 3], split: 'test', ks: [3] });
 * console.log('ranks' in result, 'ranks' in evaluationSummary(result)); // true false
 * ```
 */
export function evaluationSummary({
  ranks: _ranks,
  evaluatedUsers: _users,
  itemCounts: _counts,
  ...summary
}: EvaluationResult): Omit<EvaluationResult, 'ranks' | 'evaluatedUsers' | 'itemCounts'> {
  return summary;
}

/**
 * Lists the metrics of an evaluation in the order of its result.
 *
 * @param ks cutoffs, as in `EvaluateOptions`. Default [1, 5, 10].
 * @returns names such as 'ndcg@10': HR at each cutoff, NDCG at each above 1, MRR at the largest.
 * @example
 * ```ts
 * import { metricKeys } from 'tfjs-ilrec';
 *
 * console.log(metricKeys().join(' ')); // hr@1 hr@5 ndcg@5 hr@10 ndcg@10 mrr@10
 * ```
 */
export function metricKeys(ks: readonly number[] = [1, 5, LARGEST_CUTOFF]): MetricKey[] {
  return metricsOf(ks).map(({ key }) => key);
}

function metricsOf(ks: readonly number[]): { metric: MetricName; k: number; key: MetricKey }[] {
  const largest = Math.max(...ks);
  const pairs = ks.flatMap((k): [MetricName, number][] => [
    ['hr', k],
    ...(k > 1 ? ([['ndcg', k]] as [MetricName, number][]) : []),
  ]);
  return [...pairs, ['mrr', largest] as [MetricName, number]].map(([metric, k]) => ({
    metric,
    k,
    key: `${metric}@${k}`,
  }));
}

/**
 * User numbers to count. A drawn sample is ascending and depends only on the seed, so all methods get the same users.
 */
function chooseUsers(total: number, users: number | readonly number[] | undefined, seed: number): Int32Array {
  if (users === undefined) return Int32Array.from({ length: total }, (_, user) => user);
  if (typeof users !== 'number') {
    users.forEach((user) => {
      if (!(Number.isInteger(user) && user >= 0 && user < total))
        throw new IlrecError(`evaluateRecommender: users must be user numbers in [0, ${total}), got ${user}`);
    });
    if (users.length === 0) throw new IlrecError('evaluateRecommender: there must be at least one user, got 0');
    return Int32Array.from(users);
  }
  if (!Number.isInteger(users) || users < 1)
    throw new IlrecError(`evaluateRecommender: users must be an integer of at least 1, got ${users}`);
  const shuffled = createRandom(seed).shuffle(Int32Array.from({ length: total }, (_, user) => user));
  return shuffled.slice(0, users).sort();
}

/** Positions of the users, cheapest first, so that the prompts of a batch need little padding. */
function orderByCost(users: Int32Array, costOf?: (user: number) => number): number[] {
  const positions = Array.from(users.keys());
  if (!costOf) return positions;
  const costs = Float64Array.from(users, (user) => costOf(user));
  return positions.sort((a, b) => costs[a] - costs[b] || a - b);
}

function countInvalid(items: ArrayLike<number>, numItems: number): number {
  const seen = new Set<number>();
  let invalid = 0;
  for (let i = 0; i < items.length; i++) {
    if (!(Number.isInteger(items[i]) && items[i] >= 0 && items[i] < numItems) || seen.has(items[i])) invalid++;
    seen.add(items[i]);
  }
  return invalid;
}

function checkOptions(
  { targets, clusters, numItems, ranking }: EvaluateOptions,
  ks: readonly number[],
  batchSize: number,
): void {
  if (targets.length === 0) throw new IlrecError('evaluateRecommender: there must be at least one user, got 0');
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new IlrecError(`evaluateRecommender: batchSize must be an integer of at least 1, got ${batchSize}`);
  if (ks.length === 0 || ks.some((k) => !Number.isInteger(k) || k < 1 || k > ranking.listLength)) {
    throw new IlrecError(
      `evaluateRecommender: ks must be integers from 1 to the list length of ${ranking.listLength}, got ` +
        `[${ks.join(', ')}]; raise listLength`,
    );
  }
  const most = Math.max(...ks);
  if (ranking.beamWidth !== null && ranking.beamWidth < Math.min(most, numItems))
    throw new IlrecError(
      `evaluateRecommender: beamWidth must be at least the largest cutoff, ${most}, got ${ranking.beamWidth}, with which ` +
        'lists may hold fewer items; raise beamWidth, or give lower cutoffs in ks',
    );
  if (clusters !== undefined && clusters.length !== targets.length)
    throw new IlrecError(
      `evaluateRecommender: clusters must have one number per target, got ${clusters.length} for ${targets.length}`,
    );
  for (let user = 0; user < targets.length; user++) {
    if (!(Number.isInteger(targets[user]) && targets[user] >= 0 && targets[user] < numItems)) {
      throw new IlrecError(
        `evaluateRecommender: targets must be item numbers in [0, ${numItems}), got ${targets[user]} for user ${user}`,
      );
    }
  }
}
