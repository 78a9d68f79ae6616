import { join } from 'node:path';
import { readLog, type LogLine } from '../checkpoints/jsonl_log_node';
import { type MethodName, type RunManifest, runPaths } from '../checkpoints/run_directory_node';
import type { TrainConfig } from '../config/train_config';
import { loadPrepared } from '../data/files_node';
import { IlrecError } from '../errors';
import { bootstrapIntervals, type Interval } from '../evaluation/bootstrap';
import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import { gain, meanOf, type MetricName } from '../evaluation/metrics';
import { pairedDifference, type PairedDifference } from '../evaluation/paired_difference';
import { type EvaluationProtocol } from '../evaluation/protocol';
import { evaluateRun, type EvaluateRunOptions, readEvaluation } from './evaluate_run_node';
import { trainRun, type TrainRunOptions } from './train_run_node';

export interface CompareOptions extends Pick<TrainRunOptions, 'data' | 'config' | 'epochs' | 'signal' | 'callbacks' | 'onEvaluation'> {
  methods: readonly MethodName[];
  /** Seeds 0 to this minus 1, added to the config's seed; counting methods run once. Default 1. */
  seeds?: number;
  /** Where runs and report go; finished runs of the same config found there are used again. */
  out: string;
  split?: 'test' | 'valid';
  /** Users evaluated; default all. */
  users?: number;
  onStart?: (label: string) => void;
  onProgress?: (label: string, done: number, total: number) => void;
}

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
export interface ComparedMethod {
  readonly method: MethodName;
  readonly runs: readonly ComparedRun[];
  /** Mean over users of the mean over seeds. */
  readonly mean: Readonly<Record<TableMetric, number>>;
  /** 95 % bootstrap over users, seeds averaged first. */
  readonly ci95: Readonly<Record<TableMetric, Interval>>;
  readonly invalidItems: number;
}

export interface ComparedPair extends PairedDifference {
  readonly a: MethodName;
  readonly b: MethodName;
}

export interface Comparison {
  readonly data: RunManifest['data'];
  readonly backend: string;
  readonly seeds: readonly number[];
  readonly config: TrainConfig;
  readonly protocols: Readonly<Partial<Record<MethodName, EvaluationProtocol>>>;
  readonly methods: readonly ComparedMethod[];
  readonly pairs: readonly ComparedPair[];
  /** Seconds of training and evaluation together, of this call. */
  readonly seconds: number;
}

/**
 * Trains and evaluates methods over seeds with one config, and compares them over the same users.
 *
 * @throws IlrecError when training is interrupted: the same call goes on where it stopped.
 */
export async function compareMethods(options: CompareOptions): Promise<Comparison> {
  const { data, methods, seeds = 1, out, config, split = 'test', users, onStart, onProgress } = options;
  if (methods.length === 0) throw new IlrecError('compareMethods: methods must name at least one method, got none');
  if (!Number.isInteger(seeds) || seeds < 1) throw new IlrecError(`compareMethods: seeds must be a positive integer, got ${seeds}`);
  const began = performance.now();
  await loadPrepared(data); // a wrong folder is told before anything is trained
  const seedList = Array.from({ length: seeds }, (_, i) => config.seed + i);
  const compared: ComparedMethod[] = [];
  const ranksOf = new Map<MethodName, Int32Array[]>();
  const protocols: Partial<Record<MethodName, EvaluationProtocol>> = {};
  for (const method of inOrder(methods)) {
    const runs: ComparedRun[] = [];
    const results: EvaluationResult[] = [];
    for (const seed of isCounting(method) ? seedList.slice(0, 1) : seedList) {
      const label = seeds === 1 || isCounting(method) ? method : `${method}, seed ${seed}`;
      onStart?.(label);
      const run = runFolder(out, method, seed);
      const shared = withSharedReward(config, methods, out, seed);
      const { manifest } = await trainRun({ ...options, config: shared, out: run, method, seed, resume: true, callbacks: options.callbacks && (() => options.callbacks?.(label) ?? []) });
      if (manifest.status !== 'done') throw new IlrecError(`compareMethods: ${label} was interrupted; run the same command again to go on`);
      const result = await evaluateOnce({ run, split, users, data, onProgress: (done, total) => onProgress?.(label, done, total) }, config);
      results.push(result);
      protocols[method] = result.protocol;
      const log = isCounting(method) ? [] : await readLog(runPaths(run).log);
      runs.push({ seed, run, manifest, metrics: pick((name) => result[name]), log });
    }
    ranksOf.set(method, results.map(({ ranks }) => ranks));
    compared.push(summarise(method, runs, results));
  }
  return {
    data: compared[0].runs[0].manifest.data,
    backend: [...new Set(compared.flatMap(({ runs }) => runs.map(({ manifest }) => manifest.backend)))].join(', '),
    seeds: seedList,
    config,
    protocols,
    methods: compared,
    pairs: comparePairs(ranksOf),
    seconds: (performance.now() - began) / 1000,
  };
}

/** Where a compared run lies. */
export function runFolder(out: string, method: MethodName, seed: number): string {
  return join(out, isCounting(method) ? method : `${method}-seed${seed}`);
}

function isCounting(method: MethodName): boolean {
  return method === 'popularity' || method === 'markov';
}

/** SASRec before ILRec, which may take it as its reward. */
function inOrder(methods: readonly MethodName[]): MethodName[] {
  const order: MethodName[] = ['popularity', 'markov', 'sasrec', 'sft', 'ilrec'];
  return order.filter((method) => methods.includes(method));
}

/** ILRec's reward is the SASRec that is compared, of the same seed: it is not trained twice. */
function withSharedReward(config: TrainConfig, methods: readonly MethodName[], out: string, seed: number): TrainConfig {
  const { reward, rewardRun } = config.method;
  if (reward !== 'sasrec' || rewardRun !== undefined || !methods.includes('sasrec')) return config;
  return { ...config, method: { ...config.method, rewardRun: runFolder(out, 'sasrec', seed) } };
}

/** The kept evaluation where it asked the same, else a new one. */
async function evaluateOnce(options: EvaluateRunOptions & { split: 'test' | 'valid' }, { evaluation }: TrainConfig): Promise<EvaluationResult> {
  const kept = await readEvaluation(options.run, options.split);
  if (kept !== null) {
    const { protocol } = kept;
    const sameUsers = protocol.users === Math.min(options.users ?? Infinity, protocol.usersTotal);
    const sameBeam = protocol.beamWidth === null || protocol.beamWidth === evaluation.beamWidth;
    if (sameUsers && sameBeam) return kept;
  }
  return await evaluateRun(options);
}

function summarise(method: MethodName, runs: ComparedRun[], results: EvaluationResult[]): ComparedMethod {
  const columns = TABLE_METRICS.map((name) => meanGains(results, name));
  const intervals = bootstrapIntervals(columns, { resamples: 1000, seed: 0 });
  return {
    method,
    runs,
    mean: pick((_, i) => meanOf(columns[i])),
    ci95: pick((_, i) => intervals[i]),
    invalidItems: results.reduce((sum, { invalidItems }) => sum + invalidItems, 0),
  };
}

/** Each user's gain, averaged over seeds, [users]. */
function meanGains(results: readonly EvaluationResult[], name: TableMetric): Float64Array {
  const [metric, k] = name.split('@') as [MetricName, string];
  return Float64Array.from(results[0].ranks, (_, user) => results.reduce((sum, { ranks }) => sum + gain(metric, ranks[user], Number(k)), 0) / results.length);
}

/** ILRec against every other method; without it, the last method against the others. */
function comparePairs(ranksOf: ReadonlyMap<MethodName, Int32Array[]>): ComparedPair[] {
  const names = [...ranksOf.keys()];
  const a = names[names.length - 1];
  return names.slice(0, -1).reverse().map((b) => ({ a, b, ...pairedDifference(ranksOf.get(a) ?? [], ranksOf.get(b) ?? [], { metric: 'ndcg', k: 10 }) }));
}

function pick<T>(value: (name: TableMetric, index: number) => T): Record<TableMetric, T> {
  return Object.fromEntries(TABLE_METRICS.map((name, i) => [name, value(name, i)])) as Record<TableMetric, T>;
}
