import { join } from 'node:path';
import { IlrecError } from '../errors';
import { bootstrapIntervals, type Interval } from '../evaluation/bootstrap';
import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import { gain, meanOf, type MetricName } from '../evaluation/metrics';
import { holmAdjusted } from '../evaluation/holm';
import { pairedDifference, type PairedDifference } from '../evaluation/paired_difference';
import { parseTrainConfig, type TrainConfigInput } from '../methods/train_config';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { refuseNoPath } from './call_checks';
import { claimFolderOfRuns } from './claim_folder';
import { casesOf } from './evaluated_cases';
import { evaluateRun } from './evaluate_run';
import { readEvaluation } from './kept_evaluation';
import type { RunManifest } from './manifest';
import { readRunConfig } from './run_json';
import { parseStudy, type StudyArm, type StudyInput, withValue } from './study_file';
import { trainRun, type TrainRunOptions } from './train_run';

export type { StudyArmInput, StudyInput } from './study_file';

export interface StudyOptions extends Pick<
  TrainRunOptions,
  'data' | 'signal' | 'callbacks' | 'onEvaluation' | 'onSeenRule'
> {
  /** The arms, as a study file holds them. */
  study: StudyInput;
  /** The file's name, for errors. Default 'study'. */
  source?: string;
  /** The folder for the runs. Finished runs of the same config that are already there are reused. */
  out: string;
  /** Training seeds per arm, counted up from the config's. Default 1. */
  seeds?: number;
  /** Replaces the epochs of every arm. */
  epochs?: number;
  /** Default 'valid': settings are chosen on validation users. */
  split?: 'test' | 'valid';
  /** Called before a run is trained, with its name. */
  onStart?: (label: string) => void;
  /** Called during evaluations, with the run's name and users done. */
  onProgress?: (label: string, done: number, total: number) => void;
}

/** Metrics of a study. */
export type StudyMetric = 'hr@10' | 'ndcg@10';
export const STUDY_METRICS: readonly StudyMetric[] = ['hr@10', 'ndcg@10'];

/** One arm over its seeds. */
export interface StudiedArm {
  readonly name: string;
  readonly method: string;
  readonly runs: readonly { readonly seed: number; readonly run: string; readonly manifest: RunManifest }[];
  /** Mean over users of the mean over seeds. */
  readonly mean: Readonly<Record<StudyMetric, number>>;
  /** 95 % bootstrap over users, seeds averaged first. */
  readonly ci95: Readonly<Record<StudyMetric, Interval>>;
  /** This arm minus the first one, paired over users; null for the first. */
  readonly differences: Readonly<Record<StudyMetric, StudiedDifference>> | null;
}

/** A difference to the first arm. */
export interface StudiedDifference extends PairedDifference {
  /** The p-value after Holm's correction over all arms. */
  readonly adjustedPValue: number;
}

/** What a study found. */
export interface Study {
  readonly data: RunManifest['data'];
  readonly backend: string;
  readonly split: 'test' | 'valid';
  readonly users: number;
  /** Cases: one per user, or more where the dataset publishes several rows of a user. */
  readonly rows: number;
  readonly seeds: readonly number[];
  readonly arms: readonly StudiedArm[];
}

/**
 * Trains and evaluates the arms of a study, each a method with settings of its own, and measures them against the first
 * over the same users: ablations, grids, other starts.
 *
 * @param options the study, the dataset and the folder of the runs; see `StudyOptions`.
 * @returns the arms in the order of the file, those of grids behind the others.
 * @throws IlrecError when training is interrupted (the same call resumes it), the study or a config is wrong, or `out`
 *   holds anything else.
 * @example
 * ```ts
 * import { studyMethods } from 'tfjs-ilrec/node';
 *
 * const study = {
 *   method: 'sft',
 *   config: { training: { epochs: 1, validationUsers: 0 }, model: { hiddenSize: 8 } },
 *   arms: [{ name: 'SFT' }],
 *   grids: { 'methods.sft.futureTargets.weight': [0.2, 0.4] },
 * };
 * const { arms } = await studyMethods({ data: 'data', out: 'runs/study', study });
 * console.log(arms.map(({ name }) => name).join(', '));
 * // SFT, methods.sft.futureTargets.weight 0.2, methods.sft.futureTargets.weight 0.4
 * ```
 */
export async function studyMethods(options: StudyOptions): Promise<Study> {
  const { study, source, out, seeds = 1, epochs, split = 'valid', onStart, onProgress } = options;
  if (!Number.isInteger(seeds) || seeds < 1)
    throw new IlrecError(`studyMethods: seeds must be a positive integer, got ${seeds}`);
  refuseNoPath('studyMethods', out);
  const arms = parseStudy(study, source);
  for (const arm of arms) parseTrainConfig(arm.config, `${source ?? 'study'}, arm "${arm.name}"`); // before any training
  const prepared = await loadPrepared(options.data); // so that a wrong folder is reported before anything is trained
  await claimFolderOfRuns('studyMethods', out, [...arms.map(({ folder }) => join(out, folder)), options.data]);
  const firstSeed = Number((study.config as { seed?: number } | undefined)?.seed ?? 0);
  const seedList = Array.from({ length: seeds }, (_, i) => firstSeed + i);
  const studied: Omit<StudiedArm, 'differences'>[] = [];
  let clusters: ArrayLike<number> | undefined;
  const resultsOf = new Map<string, EvaluationResult[]>();
  for (const arm of arms) {
    const runs: { seed: number; run: string; manifest: RunManifest }[] = [];
    const results: EvaluationResult[] = [];
    for (const seed of seedList) {
      const label = seeds === 1 ? arm.name : `${arm.name}, seed ${seed}`;
      onStart?.(label);
      const run = join(out, arm.folder, `seed${seed}`);
      const config = configOf(arm, arms, out, seed);
      const { data, signal, onEvaluation, onSeenRule } = options;
      const { manifest } = await trainRun({
        data,
        signal,
        onEvaluation,
        onSeenRule,
        method: arm.method,
        // as part of the config, so that a run that is there is never made longer
        config: epochs === undefined ? config : withValue({ ...config }, 'training.epochs', epochs),
        out: run,
        seed,
        resume: true,
        callbacks: options.callbacks && ((name) => options.callbacks?.(name === arm.method ? label : name) ?? []),
      });
      if (manifest.status !== 'done')
        throw new IlrecError(`studyMethods: ${label} was interrupted; run the same command again to resume it`);
      results.push(await evaluateOnce(run, split, (done, total) => onProgress?.(label, done, total)));
      runs.push({ seed, run, manifest });
    }
    resultsOf.set(arm.name, results);
    clusters ??= casesOf(prepared, split, results[0].evaluatedUsers).clusters; // all arms rank the same users
    studied.push({ name: arm.name, method: arm.method, runs, ...summaryOf(results, clusters) });
  }
  const [reference, ...others] = arms.map(({ name }) => resultsOf.get(name) as EvaluationResult[]);
  const differences = differencesTo(reference, others, clusters);
  const { manifest } = studied[0].runs[0];
  return {
    data: manifest.data,
    backend: [...new Set(studied.flatMap(({ runs }) => runs.map((one) => one.manifest.backend)))].join(', '),
    split,
    users: reference[0].users,
    rows: reference[0].rows,
    seeds: seedList,
    arms: studied.map((arm, i) => ({ ...arm, differences: i === 0 ? null : differences[i - 1] })),
  };
}

function configOf(arm: StudyArm, arms: readonly StudyArm[], out: string, seed: number): TrainConfigInput {
  let { config } = arm;
  for (const [key, name] of Object.entries(arm.runs)) {
    const { folder } = arms.find((one) => one.name === name) as StudyArm;
    config = withValue(config, key, join(out, folder, `seed${seed}`));
  }
  return config;
}

/** The evaluation that the run keeps, or a new one. */
async function evaluateOnce(
  run: string,
  split: 'test' | 'valid',
  onProgress: (done: number, total: number) => void,
): Promise<EvaluationResult> {
  const { evaluation } = await readRunConfig(run);
  const kept = await readEvaluation(run, { split, seen: evaluation.seen });
  return kept?.result ?? (await evaluateRun({ run, split, onProgress }));
}

function summaryOf(
  results: readonly EvaluationResult[],
  clusters: ArrayLike<number> | undefined,
): Pick<StudiedArm, 'mean' | 'ci95'> {
  const columns = STUDY_METRICS.map((name) => {
    const [metric, k] = metricAt(name);
    return Float64Array.from(results[0].ranks, (_, user) =>
      meanOf(Float64Array.from(results, ({ ranks }) => gain(metric, ranks[user], k))),
    );
  });
  const intervals = bootstrapIntervals(columns, { resamples: 1000, seed: 0, clusters });
  return { mean: perMetric((_, i) => meanOf(columns[i])), ci95: perMetric((_, i) => intervals[i]) };
}

/** The differences of all other arms to the first. */
function differencesTo(
  reference: readonly EvaluationResult[],
  others: readonly (readonly EvaluationResult[])[],
  clusters: ArrayLike<number> | undefined,
): Record<StudyMetric, StudiedDifference>[] {
  const ranksOf = (results: readonly EvaluationResult[]): Int32Array[] => results.map(({ ranks }) => ranks);
  const perArm = perMetric((name) => {
    const [metric, k] = metricAt(name);
    const found = others.map((own) => pairedDifference(ranksOf(own), ranksOf(reference), { metric, k, clusters }));
    const adjusted = holmAdjusted(found.map(({ pValue }) => pValue));
    return found.map((one, i) => ({ ...one, adjustedPValue: adjusted[i] }));
  });
  return others.map((_, i) => perMetric((name) => perArm[name][i]));
}

function metricAt(name: StudyMetric): readonly [MetricName, number] {
  const [metric, k] = name.split('@');
  return [metric as MetricName, Number(k)];
}

function perMetric<T>(value: (name: StudyMetric, index: number) => T): Record<StudyMetric, T> {
  return Object.fromEntries(STUDY_METRICS.map((name, i) => [name, value(name, i)])) as Record<StudyMetric, T>;
}
