import { join } from 'node:path';
import { readLog } from './jsonl_log_node';
import { type MethodName, runPaths } from './run_directory_node';
import type { TrainConfig } from '../config/train_config';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { IlrecError } from '../errors';
import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import type { EvaluationProtocol } from '../evaluation/protocol';
import { type ComparedMethod, type ComparedRun, comparePairs, type Comparison, pick, summarise } from './comparison';
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
