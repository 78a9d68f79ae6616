import type { LogLine } from './run_log';
import type { RunManifest } from './manifest';
import type { Method } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { bootstrapIntervals, type Interval } from '../evaluation/bootstrap';
import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import { gain, meanOf, type MetricName } from '../evaluation/metrics';
import { pairedDifference, type PairedDifference } from '../evaluation/paired_difference';
import type { EvaluationProtocol } from '../evaluation/protocol';

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
}

/** A method over its seeds. */
export interface ComparedMethod extends Pick<Method, 'title' | 'color' | 'kind' | 'diagnostics'> {
  /** The method's name. */
  readonly method: string;
  readonly runs: readonly ComparedRun[];
  /** Mean over users of the mean over seeds. */
  readonly mean: Readonly<Record<TableMetric, number>>;
  /** 95 % bootstrap over users, seeds averaged first. */
  readonly ci95: Readonly<Record<TableMetric, Interval>>;
  readonly invalidItems: number;
}

export interface ComparedPair extends PairedDifference {
  readonly a: string;
  readonly b: string;
}

export interface Comparison {
  readonly data: RunManifest['data'];
  readonly backend: string;
  readonly seeds: readonly number[];
  readonly config: TrainConfig;
  readonly protocols: Readonly<Record<string, EvaluationProtocol>>;
  readonly methods: readonly ComparedMethod[];
  readonly pairs: readonly ComparedPair[];
  /** Seconds of training and evaluation together, of this call. */
  readonly seconds: number;
}

/** A method's means and intervals over users, seeds averaged per user. */
export function summarise(
  { name, title, color, kind, diagnostics }: Method,
  runs: ComparedRun[],
  results: EvaluationResult[],
): ComparedMethod {
  const columns = TABLE_METRICS.map((name) => meanGains(results, name));
  const intervals = bootstrapIntervals(columns, { resamples: 1000, seed: 0 });
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
  };
}

/** Each user's gain, averaged over seeds, [users]. */
function meanGains(results: readonly EvaluationResult[], name: TableMetric): Float64Array {
  const [metric, k] = name.split('@') as [MetricName, string];
  return Float64Array.from(
    results[0].ranks,
    (_, user) => results.reduce((sum, { ranks }) => sum + gain(metric, ranks[user], Number(k)), 0) / results.length,
  );
}

/** The last method against every other one. */
export function comparePairs(ranksOf: ReadonlyMap<string, Int32Array[]>): ComparedPair[] {
  const names = [...ranksOf.keys()];
  const a = names[names.length - 1];
  return names
    .slice(0, -1)
    .reverse()
    .map((b) => ({ a, b, ...pairedDifference(ranksOf.get(a) ?? [], ranksOf.get(b) ?? [], { metric: 'ndcg', k: 10 }) }));
}

/** An object with one value per metric of the table. */
export function pick<T>(value: (name: TableMetric, index: number) => T): Record<TableMetric, T> {
  return Object.fromEntries(TABLE_METRICS.map((name, i) => [name, value(name, i)])) as Record<TableMetric, T>;
}
