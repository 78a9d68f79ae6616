import { join } from 'node:path';
import { IlrecError } from '../errors';
import type { Interval } from '../evaluation/bootstrap';
import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import type { MetricName } from '../evaluation/metrics';
import { holmAdjusted } from '../evaluation/holm';
import { pairedDifference, type PairedDifference } from '../evaluation/paired_difference';
import type { EvaluationProtocol } from '../evaluation/protocol';
import { findMethod, type MethodName } from '../methods/registry';
import { parseTrainConfig, sectionOf, type TrainConfigInput } from '../methods/train_config';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { refuseNoPath } from './call_checks';
import { claimFolderOfRuns } from './claim_folder';
import { comparedRun, type EvaluatedRun } from './compared_run';
import {
  type ComparedMethod,
  type ComparedSlice,
  type MethodCost,
  sliceUsers,
  summarise,
  type TableMetric,
} from './comparison';
import { datasetOptions } from '../recommender/dataset_options';
import { type EqualBudgets, equalBudgets } from './equal_budgets';
import { casesOf, type EvaluatedCases } from './evaluated_cases';
import { evaluateRun } from './evaluate_run';
import { readEvaluation } from './kept_evaluation';
import type { RunManifest } from './manifest';
import { possibleArms, type SkippedArm } from './possible_arms';
import { commonSeconds, readFinishedRun, type SecondsOf } from './run_cost';
import { readRunConfig } from './run_json';
import { parseStudy, type StudyArm, type StudyInput, withValue } from './study_file';
import { trainRun, type TrainRunOptions } from './train_run';

export type { SkippedArm } from './possible_arms';
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
  /** Called once, with the arms that the data does not allow. */
  onSkip?: (skipped: readonly SkippedArm[]) => void;
  /** Called before a run is trained, with its name. */
  onStart?: (label: string) => void;
  /** Called during evaluations, with the run's name and users done. */
  onProgress?: (label: string, done: number, total: number) => void;
}

/** Metrics in which a study tests its arms against the first. */
export type StudyMetric = 'hr@10' | 'ndcg@10';
export const STUDY_METRICS: readonly StudyMetric[] = ['hr@10', 'ndcg@10'];

/** What an arm cost, averaged over its runs. */
export type StudiedCost = Omit<MethodCost, 'epochOverSft' | 'epochWithNeedsOverSft'>;

/** One arm over its seeds. */
export interface StudiedArm extends Pick<ComparedMethod, 'runs' | 'lists' | 'invalidItems'> {
  readonly name: string;
  readonly method: MethodName;
  /** The arm's settings and those of all arms, as the study file holds them. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Mean over users of the mean over seeds. */
  readonly mean: Readonly<Record<TableMetric, number>>;
  /** 95 % bootstrap over users, seeds averaged first. */
  readonly ci95: Readonly<Record<TableMetric, Interval>>;
  readonly cost: StudiedCost;
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
  /** The text of the study file; null without one. */
  readonly description: string | null;
  readonly data: RunManifest['data'];
  readonly backend: string;
  readonly split: 'test' | 'valid';
  readonly users: number;
  /** Cases: one per user, or more where the dataset publishes several rows of a user. */
  readonly rows: number;
  readonly seeds: readonly number[];
  readonly arms: readonly StudiedArm[];
  /** Arms that the data does not allow. */
  readonly skipped: readonly SkippedArm[];
  /** How each arm was evaluated, by its name. */
  readonly protocols: Readonly<Record<string, EvaluationProtocol>>;
  /** Quarters of the users by history, of the items by popularity; `method` is the name of an arm. */
  readonly slices: readonly ComparedSlice[];
  /** Validation at equal steps and seconds; `method` is the name of an arm. Null where no arm was validated. */
  readonly budgets: EqualBudgets | null;
  /** What seconds of an epoch and of validations count; see `Comparison.secondsOf`. */
  readonly secondsOf: SecondsOf;
  /** Seconds of training of all runs together, over all calls. */
  readonly seconds: number;
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
  const { study, source, out, seeds = 1, epochs, split = 'valid', onSkip, onStart, onProgress } = options;
  if (!Number.isInteger(seeds) || seeds < 1)
    throw new IlrecError(`studyMethods: seeds must be a positive integer, got ${seeds}`);
  refuseNoPath('studyMethods', out);
  const asked = parseStudy(study, source);
  const prepared = await loadPrepared(options.data); // so that a wrong folder is reported before anything is trained
  const shape = datasetOptions(prepared, null);
  const configs = asked.map(({ name, config }) =>
    parseTrainConfig(config, `${source ?? 'study'}, arm "${name}"`, shape),
  );
  const { possible: arms, skipped } = possibleArms(asked, configs, prepared);
  await claimFolderOfRuns('studyMethods', out, [...asked.map(({ folder }) => join(out, folder)), options.data]);
  if (skipped.length > 0) onSkip?.(skipped);
  const firstSeed = Number((study.config as { seed?: number } | undefined)?.seed ?? 0);
  const seedList = Array.from({ length: seeds }, (_, i) => firstSeed + i);
  const studied: { arm: StudyArm; runs: EvaluatedRun[] }[] = [];
  for (const arm of arms) {
    const runs: EvaluatedRun[] = [];
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
      const result = await evaluateOnce(run, split, (done, total) => onProgress?.(label, done, total));
      const method = findMethod(arm.method, [], 'studyMethods');
      const section = sectionOf(await readRunConfig(run), method);
      const finished = await readFinishedRun(run, manifest, method.needs?.(section) ?? [], section);
      runs.push({ seed, run, result, ...finished });
    }
    studied.push({ arm, runs });
  }
  // all arms rank the same users
  const cases = casesOf(prepared, split, studied[0].runs[0].result.evaluatedUsers);
  return { description: study.description ?? null, split, seeds: seedList, skipped, ...summaryOf(studied, cases) };
}

/** Means, intervals, differences, costs and slices of the arms. */
function summaryOf(
  studied: readonly { readonly arm: StudyArm; readonly runs: readonly EvaluatedRun[] }[],
  cases: EvaluatedCases,
): Omit<Study, 'description' | 'split' | 'seeds' | 'skipped'> {
  const all = studied.flatMap(({ runs }) => runs);
  const secondsOf = commonSeconds(all);
  // an arm is measured as a method of the arm's name
  const measured = studied.map(({ arm: { name, method }, runs }) => ({
    method: { ...findMethod(method, [], 'studyMethods'), name, title: name },
    runs: runs.map((run) => comparedRun(run, secondsOf)),
    results: runs.map(({ result }) => result),
  }));
  const [reference, ...others] = measured.map(({ results }) => results);
  const differences = [null, ...differencesTo(reference, others, cases.clusters)];
  const summaries = summarise(measured, cases);
  return {
    data: all[0].manifest.data,
    backend: [...new Set(all.map(({ manifest }) => manifest.backend))].join(', '),
    users: reference[0].users,
    rows: reference[0].rows,
    arms: summaries.map(({ runs, mean, ci95, invalidItems, lists, cost }, i) => {
      const { name, method, config } = studied[i].arm;
      const { epochOverSft: _, epochWithNeedsOverSft: __, ...own } = cost;
      return { name, method, config, runs, mean, ci95, differences: differences[i], invalidItems, lists, cost: own };
    }),
    protocols: Object.fromEntries(studied.map(({ arm, runs }) => [arm.name, runs[0].result.protocol])),
    slices: sliceUsers(measured, cases),
    budgets: equalBudgets(summaries),
    secondsOf,
    seconds: all.reduce((sum, { manifest }) => sum + manifest.seconds, 0),
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
