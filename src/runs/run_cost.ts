import { existsSync } from 'node:fs';
import type { Need } from '../methods/method';
import type { LogLine } from './run_log';
import { readManifest, type RunManifest } from './manifest';
import { isRun, needFolder, runPaths } from './run_paths';
import { readLog } from './run_log';

/** What a run cost. */
export interface RunCost {
  /** Seconds of its own training, evaluations on validation users included, over all calls. */
  readonly seconds: number;
  /** Seconds of the runs that it needed, its teachers, wherever they were trained. */
  readonly needSeconds: number;
  /** Epochs trained; 0 where nothing is trained. */
  readonly epochs: number;
  /** Seconds of an epoch's steps; null where nothing is trained. See `Comparison.secondsOf`. */
  readonly secondsPerEpoch: number | null;
  /** Input tokens per second of the steps, without padding; null where nothing is trained. */
  readonly tokensPerSecond: number | null;
  /** Response positions per second of the steps; null also in logs of older releases, which do not count them. */
  readonly responseTokensPerSecond: number | null;
  /** Most resident memory of the process, in bytes, without that of a GPU; null in runs of older releases. */
  readonly peakMemory: number | null;
}

/** A validation during training. */
export interface ValidationPoint {
  readonly step: number;
  /** Seconds of training before it, those of its teachers left out. See `Comparison.secondsOf`. */
  readonly seconds: number;
  readonly 'ndcg@10': number;
}

/** Which seconds are counted: of the steps, or of all training where a log does not tell the steps'. */
export type SecondsOf = 'steps' | 'training';

/** What costs are computed from. */
export interface FinishedRun {
  readonly manifest: RunManifest;
  readonly log: readonly LogLine[];
  /** Seconds of its needs: those in its folder, and those elsewhere. */
  readonly needs: { readonly inside: number; readonly elsewhere: number };
}

/** Reads a finished run. @param needs what the method needs, by the run's section. */
export async function readFinishedRun(
  folder: string,
  manifest: RunManifest,
  needs: readonly Need[],
  section: unknown,
): Promise<FinishedRun> {
  const seconds = { inside: 0, elsewhere: 0 };
  for (const { role, runField } of needs) {
    const named = runField === null ? undefined : (section as Record<string, string | undefined>)[runField];
    const path = named ?? needFolder(folder, role);
    if (!isRun(path)) continue; // counted on the spot
    seconds[named === undefined ? 'inside' : 'elsewhere'] += (await readManifest(path)).seconds;
  }
  const { log: path } = runPaths(folder);
  const log = existsSync(path) ? await readLog(path) : []; // none where nothing is trained
  return { manifest, log, needs: seconds };
}

/** The seconds that all runs can tell: releases before the logs had them tell the whole training's alone. */
export function commonSeconds(runs: readonly FinishedRun[]): SecondsOf {
  const trained = runs.filter(({ manifest }) => manifest.steps > 0);
  return trained.every(({ log }) => stepSeconds(log) !== null) ? 'steps' : 'training';
}

/** Computes the cost of a run. */
export function costOf(run: FinishedRun, secondsOf: SecondsOf): RunCost {
  const { manifest, log, needs } = run;
  const { steps, stepsPerEpoch } = manifest;
  const epochs = steps === 0 ? 0 : steps / stepsPerEpoch;
  return {
    seconds: ownSeconds(run),
    needSeconds: needs.inside + needs.elsewhere,
    epochs,
    secondsPerEpoch: steps === 0 ? null : countedSeconds(run, secondsOf) / epochs,
    tokensPerSecond: rateOf(log, 'numTokens', 1),
    responseTokensPerSecond: rateOf(log, 'numResponseTokens', null),
    peakMemory: manifest.peakMemory ?? null,
  };
}

/** The validations of a run, in order. Where the log has no seconds, steps are taken to be equally long. */
export function validationPoints(run: FinishedRun, secondsOf: SecondsOf): ValidationPoint[] {
  const perStep = countedSeconds(run, secondsOf) / run.manifest.steps;
  return run.log.flatMap((line) => {
    const value = line['ndcg@10'];
    if (line.kind !== 'evaluation' || typeof value !== 'number') return [];
    const { step, seconds = NaN } = line;
    return [{ step, seconds: secondsOf === 'steps' ? seconds : perStep * step, 'ndcg@10': value }];
  });
}

function countedSeconds(run: FinishedRun, secondsOf: SecondsOf): number {
  return secondsOf === 'steps' ? (stepSeconds(run.log) ?? 0) : ownSeconds(run);
}

function ownSeconds({ manifest, needs }: FinishedRun): number {
  return Math.max(0, manifest.seconds - needs.inside);
}

/** Seconds of all steps; null where some line does not tell. */
function stepSeconds(log: readonly LogLine[]): number | null {
  return log.every(({ seconds }) => seconds !== undefined) ? (log.at(-1)?.seconds ?? null) : null;
}

/**
 * Tokens per second over all steps.
 *
 * @param otherwise tokens of a step whose line does not tell: all alike; null for no rate at all.
 */
function rateOf(
  log: readonly LogLine[],
  tokens: 'numTokens' | 'numResponseTokens',
  otherwise: number | null,
): number | null {
  const steps = log.filter((line) => line.kind === 'step');
  const isTold = steps.every((line) => line[tokens] !== undefined && line.numTokens !== undefined);
  if (steps.length === 0 || (!isTold && otherwise === null)) return null;
  let [count, seconds] = [0, 0];
  for (const line of steps) {
    const all = isTold ? Number(line.numTokens) : Number(otherwise);
    count += isTold ? Number(line[tokens]) : all;
    seconds += all / line.tokensPerSecond;
  }
  return count / seconds;
}
