import { IlrecError } from '../errors';
import { createRandom } from '../random';
import { bootstrapIntervals, type Interval } from './bootstrap';
import { gains, meanOf, rankOf, type MetricName } from './metrics';
import type { EvaluationProtocol } from './protocol';
import type { Recommender } from './recommenders';

export type MetricKey = `${MetricName}@${number}`;

export interface EvaluateOptions extends Recommender {
  /** The item each user should be recommended, [users]. */
  targets: ArrayLike<number>;
  split: 'valid' | 'test';
  /** Where the targets come from; a word for the protocol. Default 'leave-one-out'. */
  holdOut?: EvaluationProtocol['holdOut'];
  /** Cutoffs; default [1, 5, 10]: HR at each, NDCG at each above 1, MRR at the last. */
  ks?: readonly number[];
  /** How many users, drawn without replacement by `seed`, or which; default all. */
  users?: number | readonly number[];
  /** Users per call of `recommend`; the last batch may be smaller. Default 64. */
  batchSize?: number;
  /** Seed of the draw of users and of the bootstrap; default 0. */
  seed?: number;
  /** Bootstrap resamples; default 1000. */
  resamples?: number;
  /** Called after each batch. */
  onProgress?(done: number, total: number): void;
}

export type EvaluationResult = { [metric in MetricKey]: number } & {
  /** Users counted. */
  readonly users: number;
  /** Entries of the lists that are no item number of the catalogue, or came twice in a list. */
  readonly invalidItems: number;
  /** 95 % percentile-bootstrap interval of each metric. */
  readonly ci95: Record<MetricKey, Interval>;
  readonly protocol: EvaluationProtocol;
  /** Rank of each user's target from 1, 0 where it is not in the list, in the order of `evaluatedUsers`: what `pairedDifference` compares. */
  readonly ranks: Int32Array;
  /** User numbers, ascending unless the caller gave them. */
  readonly evaluatedUsers: Int32Array;
};

/**
 * Evaluation over the whole catalogue: HR, NDCG and MRR with bootstrap intervals, each user's rank, and the protocol.
 *
 * @throws IlrecError when there are no users, a target is not an item, a cutoff exceeds the list, or `recommend` does not answer for each user.
 */
export async function evaluateRecommender(options: EvaluateOptions): Promise<EvaluationResult> {
  const {
    targets,
    numItems,
    ranking,
    split,
    holdOut = 'leave-one-out',
    ks = [1, 5, 10],
    batchSize = 64,
    seed = 0,
    resamples = 1000,
    onProgress,
  } = options;
  checkOptions(options, ks, batchSize);
  const evaluatedUsers = chooseUsers(targets.length, options.users, seed);
  const order = orderByCost(evaluatedUsers, options.costOf?.bind(options));
  const ranks = new Int32Array(evaluatedUsers.length);
  let invalidItems = 0;
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = order.slice(start, start + batchSize); // positions in evaluatedUsers
    const lists = await options.recommend(batch.map((position) => evaluatedUsers[position]));
    if (lists.length !== batch.length)
      throw new IlrecError(
        `evaluateRecommender: recommend must return one list per user, got ${lists.length} lists for ${batch.length} users`,
      );
    batch.forEach((position, i) => {
      ranks[position] = rankOf(targets[evaluatedUsers[position]], lists[i]);
      invalidItems += countInvalid(lists[i], numItems);
    });
    onProgress?.(start + batch.length, order.length);
  }

  const metrics = metricsOf(ks);
  const columns = metrics.map(({ metric, k }) => gains(metric, ranks, k));
  const intervals = bootstrapIntervals(columns, { resamples, seed, level: 0.95 });
  const values = Object.fromEntries(metrics.map(({ key }, m) => [key, meanOf(columns[m])])) as Record<
    MetricKey,
    number
  >;
  const users = evaluatedUsers.length;
  const protocol: EvaluationProtocol = {
    split,
    holdOut,
    ...ranking,
    users,
    usersTotal: targets.length,
    userSeed: typeof options.users === 'number' && users < targets.length ? seed : null,
    bootstrap: { resamples, seed, level: 0.95 },
  };
  const ci95 = Object.fromEntries(metrics.map(({ key }, m) => [key, intervals[m]])) as Record<MetricKey, Interval>;
  return { ...values, users, invalidItems, ci95, protocol, ranks, evaluatedUsers };
}

/** The result without its per-user arrays: what `evaluate --json` prints. */
export function evaluationSummary({
  ranks: _ranks,
  evaluatedUsers: _users,
  ...summary
}: EvaluationResult): Omit<EvaluationResult, 'ranks' | 'evaluatedUsers'> {
  return summary;
}

/** 'hr@1', 'hr@5', 'ndcg@5', 'hr@10', 'ndcg@10', 'mrr@10' for the default cutoffs. */
export function metricKeys(ks: readonly number[] = [1, 5, 10]): MetricKey[] {
  return metricsOf(ks).map(({ key }) => key);
}

function metricsOf(ks: readonly number[]): { metric: MetricName; k: number; key: MetricKey }[] {
  const last = Math.max(...ks);
  const pairs = ks.flatMap((k): [MetricName, number][] => [
    ['hr', k],
    ...(k > 1 ? ([['ndcg', k]] as [MetricName, number][]) : []),
  ]);
  return [...pairs, ['mrr', last] as [MetricName, number]].map(([metric, k]) => ({ metric, k, key: `${metric}@${k}` }));
}

/** User numbers to count; a drawn sample is ascending and the same for each method that is evaluated with the same seed. */
function chooseUsers(total: number, users: number | readonly number[] | undefined, seed: number): Int32Array {
  if (users === undefined) return Int32Array.from({ length: total }, (_, user) => user);
  if (typeof users !== 'number') {
    users.forEach((user) => {
      if (!(Number.isInteger(user) && user >= 0 && user < total))
        throw new IlrecError(`evaluateRecommender: users must be integers in [0, ${total}), got ${user}`);
    });
    if (users.length === 0) throw new IlrecError('evaluateRecommender: there must be at least one user, got 0');
    return Int32Array.from(users);
  }
  if (!Number.isInteger(users) || users < 1)
    throw new IlrecError(`evaluateRecommender: users must be an integer of at least 1, got ${users}`);
  const shuffled = createRandom(seed).shuffle(Int32Array.from({ length: total }, (_, user) => user));
  return shuffled.slice(0, users).sort();
}

/** Positions of the users, cheapest first, so that a batch of prompts needs little padding. */
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

function checkOptions({ targets, numItems, ranking }: EvaluateOptions, ks: readonly number[], batchSize: number): void {
  if (targets.length === 0) throw new IlrecError('evaluateRecommender: there must be at least one user, got 0');
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new IlrecError(`evaluateRecommender: batchSize must be an integer of at least 1, got ${batchSize}`);
  if (ks.length === 0 || ks.some((k) => !Number.isInteger(k) || k < 1 || k > ranking.listLength)) {
    throw new IlrecError(
      `evaluateRecommender: ks must be integers from 1 to the list length of ${ranking.listLength}, got [${ks.join(', ')}]; raise listLength`,
    );
  }
  for (let user = 0; user < targets.length; user++) {
    if (!(Number.isInteger(targets[user]) && targets[user] >= 0 && targets[user] < numItems)) {
      throw new IlrecError(
        `evaluateRecommender: targets must be item numbers in [0, ${numItems}), got ${targets[user]} for user ${user}`,
      );
    }
  }
}
