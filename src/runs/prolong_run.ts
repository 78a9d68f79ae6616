import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { TrainingConfig } from '../config/shared_config';
import { IlrecError } from '../errors';
import type { Method } from '../methods/method';
import type { RunManifest } from './manifest';
import { readLog } from './run_log';
import { runPaths } from './run_paths';

/** How long a run shall be, beside its config. */
export interface AskedLength {
  readonly epochs?: number;
  readonly steps?: number;
}

/** A run that is to be trained for longer than it was begun for. */
export interface Prolonging {
  /** Step of the checkpoint that it goes on from. */
  readonly step: number;
  /** Epochs of the whole run, before and now. */
  readonly before: number;
  readonly epochs: number;
}

/** @throws IlrecError when the length is given twice, or is no whole number of at least 1. */
export function checkLength({ epochs, steps }: AskedLength): void {
  for (const [name, value] of Object.entries({ epochs, steps }))
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      throw new IlrecError(`trainRun: ${name} must be a whole number of at least 1, got ${value}`);
  if (epochs !== undefined && steps !== undefined)
    throw new IlrecError(`trainRun: epochs and steps must not be given both, got ${epochs} and ${steps}; give one`);
}

/** Epochs that hold so many steps: the last one is trained whole. */
export function epochsOf(steps: number, stepsPerEpoch: number): number {
  return Math.ceil(steps / stepsPerEpoch);
}

/**
 * Decides whether a run that is resumed shall be trained for longer.
 *
 * @param before epochs and patience of the run so far.
 * @param patience the one that is asked for now.
 * @returns null where the run keeps its length.
 * @throws IlrecError when it is to become shorter, has no checkpoint to go on from, or early stopping has ended it.
 */
export async function prolongingOf(
  out: string,
  { kind }: Method,
  asked: AskedLength,
  earlier: RunManifest,
  before: Pick<TrainingConfig, 'epochs' | 'patience'>,
  patience: number | null,
): Promise<Prolonging | null> {
  if (kind === 'counts' || before.epochs === undefined) return null;
  const epochs = asked.steps === undefined ? asked.epochs : epochsOfRun(out, asked.steps, earlier);
  if (epochs === undefined || epochs === before.epochs) return null;
  if (epochs < before.epochs)
    throw new IlrecError(
      `trainRun: ${asked.steps === undefined ? 'epochs' : 'steps in epochs'} must be at least the ${before.epochs} that ` +
        `the run at ${out} has, got ${epochs}; choose another folder for a shorter run`,
    );
  const step = await lastCheckpoint(out);
  if (step === null && earlier.status !== 'running')
    throw new IlrecError(
      `trainRun: ${out} must have a checkpoint to be trained for longer, got none in ${runPaths(out).checkpoints}; ` +
        'train a new run for all epochs',
    );
  const waited = await evaluationsSinceBest(out);
  if (before.patience !== null && waited >= before.patience && patience !== null && patience <= waited)
    throw new IlrecError(
      `trainRun: the run at ${out} ended early: ${waited} ${waited === 1 ? 'evaluation' : 'evaluations'} after its best one brought nothing better; to train ` +
        `it for longer, raise training.patience above ${waited} too, got ${patience}`,
    );
  return { step: step ?? 0, before: before.epochs, epochs };
}

function epochsOfRun(out: string, steps: number, { stepsPerEpoch }: RunManifest): number {
  if (stepsPerEpoch > 0) return epochsOf(steps, stepsPerEpoch);
  throw new IlrecError(
    `trainRun: steps cannot be counted in epochs for the run at ${out}, which was stopped before it had kept the steps ` +
      'of an epoch; give epochs',
  );
}

/** The step of the newest checkpoint; null where there is none. */
async function lastCheckpoint(out: string): Promise<number | null> {
  const names = await readdir(runPaths(out).checkpoints).catch(() => []);
  const steps = names.flatMap((name) => /^step-(\d+)\.safetensors$/.exec(name)?.[1] ?? []).map(Number);
  return steps.length === 0 ? null : Math.max(...steps);
}

/** How many evaluations came after the best one. */
async function evaluationsSinceBest(out: string): Promise<number> {
  const { log } = runPaths(out);
  if (!existsSync(log)) return 0;
  const values = (await readLog(log)).flatMap((line) => (line.kind === 'evaluation' ? [Number(line['ndcg@10'])] : []));
  return values.length === 0 ? 0 : values.length - 1 - values.indexOf(Math.max(...values));
}
