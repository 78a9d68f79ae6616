import type { LogLine } from './run_log';
import type { RunManifest } from './manifest';
import type { EvaluatedCases } from './evaluated_cases';
import type { Method } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { bootstrapIntervals, type Interval } from '../evaluation/bootstrap';
import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import { holmAdjusted } from '../evaluation/holm';
import { listQuality, type ListQuality } from '../evaluation/list_quality';
import { gain, meanOf, type MetricName } from '../evaluation/metrics';
import { pairedDifference, type PairedDifference } from '../evaluation/paired_difference';
import type { EvaluationProtocol } from '../evaluation/protocol';
import { quartileSlices, type Slice } from '../evaluation/quartile_slices';
import type { EqualBudgets } from './equal_budgets';
import type { RunCost, SecondsOf, ValidationPoint } from './run_cost';

/** Metrics in the order of the table. */
export const TABLE_METRICS = ['hr@1', 'hr@5', 'ndcg@5', 'hr@10', 'ndcg@10', 'mrr@10'] as const;
export type TableMetric = (typeof TABLE_METRICS)[number];

/** One run of a method. */
export interface ComparedRun {
  readonly seed: number;
  readonly run: string;
  readonly manifest: RunManifest;
  readonly metrics: Readonly<Record<TableMetric, number>>;
  readonly log: readonly LogLine[];
  readonly cost: RunCost;
  /** Validations during training, in order; none where nothing is trained or validation was off. */
  readonly validation: readonly ValidationPoint[];
}

/** What a method cost, averaged over its runs. */
export interface MethodCost extends Omit<RunCost, 'epochs'> {
  /** Seconds of an epoch over those of SFT's; null where nothing is trained or SFT is not compared. */
  readonly epochOverSft: number | null;
  /** The same with the teachers' seconds, spread over the epochs. */
  readonly epochWithNeedsOverSft: number | null;
}

/** A method over its seeds. */
export interface ComparedMethod extends Pick<Method, 'title' | 'color' | 'kind' | 'diagnostics'> {
  /** The method's name. */
  readonly method: string;
  readonly runs: readonly ComparedRun[];
  /** Mean over users of the mean over seeds. */
  readonly mean: Readonly<Record<TableMetric, number>>;
  /**
   * 95 % bootstrap over users: each case is averaged over the seeds first, then users are drawn, each with all of its
   * cases. Seeds are not drawn, so an interval tells about other users of these trained models.
   */
  readonly ci95: Readonly<Record<TableMetric, Interval>>;
  readonly invalidItems: number;
  readonly cost: MethodCost;
  /** How widely the first ten items of the lists spread, averaged over seeds. */
  readonly lists: ListQuality;
}

/** A paired test of NDCG@10. */
export interface ComparedPair extends PairedDifference {
  readonly a: string;
  readonly b: string;
  /** The p-value after Holm's correction over all pairs of the comparison. */
  readonly adjustedPValue: number;
}

/** NDCG@10 of the cases in one quarter, or of those whose target is cold. */
export interface ComparedSlice {
  /** Length of the history, or training interactions of the target; targets without any are a slice of their own. */
  readonly by: 'history' | 'popularity';
  /** Smallest and largest value of the users in it. */
  readonly low: number;
  readonly high: number;
  readonly users: number;
  /** Cases: one per user, or more where the dataset publishes several rows of a user. */
  readonly rows: number;
  readonly methods: readonly { readonly method: string; readonly mean: number; readonly ci95: Interval }[];
}

export interface Comparison {
  readonly data: RunManifest['data'];
  readonly backend: string;
  readonly seeds: readonly number[];
  /** Users evaluated. */
  readonly users: number;
  /** Cases evaluated: one per user, or more where the dataset publishes several rows of a user. */
  readonly rows: number;
  readonly config: TrainConfig;
  readonly protocols: Readonly<Record<string, EvaluationProtocol>>;
  readonly methods: readonly ComparedMethod[];
  /** Every pair, the later method of the table first. */
  readonly pairs: readonly ComparedPair[];
  /** Quarters of the users by history; cold targets, then quarters of the other items by popularity. */
  readonly slices: readonly ComparedSlice[];
  /** Null where no method was validated. */
  readonly budgets: EqualBudgets | null;
  /**
   * What `secondsPerEpoch` and the seconds of validations count: the steps alone, or, where a log of an older release
   * does not tell them, all of the training.
   */
  readonly secondsOf: SecondsOf;
  /** Seconds of training and evaluation of all runs together, over all calls. */
  readonly seconds: number;
}

/** A method's runs and what they were measured to be. */
export interface MeasuredMethod {
  readonly method: Method;
  readonly runs: readonly ComparedRun[];
  readonly results: readonly EvaluationResult[];
}

/** The method that costs are compared with. */
export const COST_REFERENCE = 'sft';

/** Means and intervals of each method over users, seeds averaged per user, with costs beside SFT's. */
export function summarise(
  measured: readonly MeasuredMethod[],
  { clusters, itemCounts }: EvaluatedCases,
): ComparedMethod[] {
  const reference = measured.find(({ method }) => method.name === COST_REFERENCE);
  const unit = reference === undefined ? null : meanCost(reference.runs, 'secondsPerEpoch');
  return measured.map(({ method: { name, title, color, kind, diagnostics }, runs, results }) => {
    const columns = TABLE_METRICS.map((metric) => meanGains(results, metric));
    const intervals = bootstrapIntervals(columns, { resamples: 1000, seed: 0, clusters });
    const lists = results.map((result) => listQuality(result.itemCounts, itemCounts));
    const epoch = meanCost(runs, 'secondsPerEpoch');
    const needsPerEpoch = meanOf(runs.map(({ cost }) => (cost.epochs === 0 ? 0 : cost.needSeconds / cost.epochs)));
    return {
      method: name,
      title,
      color,
      kind,
      diagnostics,
      runs,
      mean: pick((_, i) => meanOf(columns[i])),
      ci95: pick((_, i) => intervals[i]),
      invalidItems: results.reduce((sum, { invalidItems }) => sum + invalidItems, 0),
      cost: {
        seconds: meanOf(runs.map(({ cost }) => cost.seconds)),
        needSeconds: meanOf(runs.map(({ cost }) => cost.needSeconds)),
        secondsPerEpoch: epoch,
        epochOverSft: epoch === null || unit === null ? null : epoch / unit,
        epochWithNeedsOverSft: epoch === null || unit === null ? null : (epoch + needsPerEpoch) / unit,
        tokensPerSecond: meanCost(runs, 'tokensPerSecond'),
        responseTokensPerSecond: meanCost(runs, 'responseTokensPerSecond'),
        peakMemory: meanCost(runs, 'peakMemory'),
      },
      lists: {
        coverage: meanOf(lists.map(({ coverage }) => coverage)),
        gini: meanOf(lists.map(({ gini }) => gini)),
        top3Share: meanOf(lists.map(({ top3Share }) => top3Share)),
        popular10Share: meanOf(lists.map(({ popular10Share }) => popular10Share)),
      },
    };
  });
}

/** The mean over runs; null where a run does not tell. */
function meanCost(
  runs: readonly ComparedRun[],
  key: 'secondsPerEpoch' | 'tokensPerSecond' | 'responseTokensPerSecond' | 'peakMemory',
): number | null {
  const values = runs.map(({ cost }) => cost[key]);
  const known = values.filter((value) => value !== null);
  return known.length < values.length ? null : meanOf(known);
}

/** Each user's gain, averaged over seeds, [users]. */
function meanGains(results: readonly EvaluationResult[], name: TableMetric): Float64Array {
  const [metric, k] = name.split('@') as [MetricName, string];
  return Float64Array.from(
    results[0].ranks,
    (_, user) => results.reduce((sum, { ranks }) => sum + gain(metric, ranks[user], Number(k)), 0) / results.length,
  );
}

/**
 * Tests every pair of methods in NDCG@10, the later method first, and corrects the p-values over all pairs by Holm's
 * method.
 */
export function comparePairs(
  measured: readonly Pick<MeasuredMethod, 'method' | 'results'>[],
  { clusters }: Pick<EvaluatedCases, 'clusters'>,
): ComparedPair[] {
  const latestFirst = [...measured].reverse();
  const ranksOf = ({ results }: Pick<MeasuredMethod, 'results'>): Int32Array[] => results.map(({ ranks }) => ranks);
  const pairs = latestFirst.flatMap((a, i) =>
    latestFirst.slice(i + 1).map((b) => ({
      a: a.method.name,
      b: b.method.name,
      ...pairedDifference(ranksOf(a), ranksOf(b), { metric: 'ndcg', k: 10, clusters }),
    })),
  );
  const adjusted = holmAdjusted(pairs.map(({ pValue }) => pValue));
  return pairs.map((pair, i) => ({ ...pair, adjustedPValue: adjusted[i] }));
}

/**
 * NDCG@10 of each method by quarters of the history's length, and of the target's training interactions. Cold targets,
 * which have none, are apart.
 */
export function sliceUsers(
  measured: readonly Pick<MeasuredMethod, 'method' | 'results'>[],
  { clusters, historyLengths, targetCounts, itemCounts }: EvaluatedCases,
): ComparedSlice[] {
  const slices = [
    ...quartileSlices(historyLengths).map((slice) => ({ by: 'history' as const, ...slice })),
    ...popularitySlices(targetCounts, itemCounts).map((slice) => ({ by: 'popularity' as const, ...slice })),
  ];
  const gains = measured.map(({ results }) => meanGains(results, 'ndcg@10'));
  return slices.map(({ by, low, high, cases }) => {
    const columns = gains.map((column) => Float64Array.from(cases, (i) => column[i]));
    const clustersInside = clusters && Int32Array.from(cases, (i) => clusters[i]);
    const intervals = bootstrapIntervals(columns, { resamples: 1000, seed: 0, clusters: clustersInside });
    const methods = measured.map(({ method }, m) => ({
      method: method.name,
      mean: meanOf(columns[m]),
      ci95: intervals[m],
    }));
    const users = clustersInside === undefined ? cases.length : new Set(clustersInside).size;
    return { by, low, high, users, rows: cases.length, methods };
  });
}

/** Cases with a cold target, where there are any, and the others by the quartiles of the items that are not cold. */
function popularitySlices(targetCounts: ArrayLike<number>, itemCounts: ArrayLike<number>): Slice[] {
  const all = Array.from(targetCounts, (count, i) => ({ count, i }));
  const cold = all.filter(({ count }) => count === 0).map(({ i }) => i);
  const others = all.filter(({ count }) => count > 0);
  const known = Array.from(itemCounts).filter((count) => count > 0);
  const slices =
    others.length === 0
      ? []
      : quartileSlices(
          others.map(({ count }) => count),
          known,
        );
  return [
    ...(cold.length === 0 ? [] : [{ low: 0, high: 0, cases: cold }]),
    ...slices.map(({ cases, ...range }) => ({ ...range, cases: cases.map((place) => others[place].i) })),
  ];
}

/** An object with one value per metric of the table. */
export function pick<T>(value: (name: TableMetric, index: number) => T): Record<TableMetric, T> {
  return Object.fromEntries(TABLE_METRICS.map((name, i) => [name, value(name, i)])) as Record<TableMetric, T>;
}
