import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeJsonAtomically } from '../files/atomic_file_node';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { splitData } from '../data/split_data';
import { IlrecError } from '../errors';
import { type EvaluationResult, evaluateRecommender } from '../evaluation/evaluate_ranking';
import type { Method } from '../methods/method';
import { type LoadedRun, loadRun } from './load_run';
import { readRunJson } from './run_json';

export interface EvaluateRunOptions {
  /** A finished run's directory. */
  run: string;
  /** Default 'test'. */
  split?: 'test' | 'valid';
  /** W of the beam search. Default: the run's. */
  beamWidth?: number;
  /** Leaves items of the history out of the lists; default: as the run's config says. */
  excludeSeen?: boolean;
  /** How many users, drawn by `seed`; default all. */
  users?: number;
  /** Seed of the draw and of the intervals. Default 0. */
  seed?: number;
  /** The prepared folder, if it has moved since the run was trained. */
  data?: string;
  /** Methods of your own, one of which may have trained the run. */
  methods?: readonly Method[];
  /** Called during the evaluation, with users done. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Evaluates a finished run over the whole catalogue and all test users.
 *
 * Keeps the result, with the rank of every user, as `evaluation-SPLIT.json` in the run. An evaluation whose
 * `excludeSeen` differs from the run's config has `-exclude-seen` or `-with-seen` in the name.
 *
 * @param options the run and what to measure.
 * @returns metrics with 95 % intervals, the rank of every user, and the protocol.
 * @throws IlrecError when the run is not finished, or its dataset is gone or has changed.
 * @example
 * ```ts
 * import { evaluateRun } from 'tfjs-ilrec/node';
 *
 * const { users, invalidItems, protocol } = await evaluateRun({ run: 'runs/popularity' });
 * console.log(users > 0, invalidItems, protocol.split); // true 0 test
 * ```
 */
export async function evaluateRun(options: EvaluateRunOptions): Promise<EvaluationResult> {
  const run = await loadRun(options.run, options);
  try {
    return await evaluateLoadedRun(run, options);
  } finally {
    run.dispose();
  }
}

/**
 * Evaluates a run that is already loaded, as `evaluateRun` does. The run stays loaded.
 *
 * @param run of `loadRun`.
 * @param options what to measure.
 * @returns as `evaluateRun`.
 * @throws IlrecError when the run's dataset is gone or has changed.
 * @example
 * ```ts
 * import { evaluateLoadedRun, loadRun } from 'tfjs-ilrec/node';
 *
 * const run = await loadRun('runs/popularity');
 * const { users } = await evaluateLoadedRun(run, { split: 'valid', users: 20 });
 * console.log(users); // 20
 * run.dispose();
 * ```
 */
export async function evaluateLoadedRun(
  run: LoadedRun,
  { split = 'test', beamWidth, excludeSeen, users, seed = 0, data, onProgress }: Omit<EvaluateRunOptions, 'run'> = {},
): Promise<EvaluationResult> {
  const { folder, manifest, config } = run;
  const prepared = await loadPrepared(data ?? manifest.data.folder);
  if (prepared.checksum !== manifest.data.checksum) {
    throw new IlrecError(
      `evaluateRun: the dataset must be the one that ${folder} was trained on, got another checksum at ` +
        `${data ?? manifest.data.folder}; name the right one with --data`,
    );
  }
  const { holdOut, [split]: cases } = splitData(prepared);
  const { histories, targets } = cases;
  if (targets.length === 0)
    throw new IlrecError(
      `evaluateRun: the dataset at ${data ?? manifest.data.folder} must have rows of the split ${split}, got ` +
        'none; evaluate the other split',
    );
  const recommender = await run.recommender(histories, { beamWidth, excludeSeen });
  const result = await evaluateRecommender({
    ...recommender,
    targets,
    split,
    holdOut,
    users: users === undefined ? undefined : Math.min(users, targets.length),
    batchSize: config.evaluation.batchSize,
    seed,
    onProgress,
  });
  const { ranks, evaluatedUsers, ...summary } = result;
  const variant =
    result.protocol.excludeSeen === config.evaluation.excludeSeen
      ? ''
      : result.protocol.excludeSeen
        ? '-exclude-seen'
        : '-with-seen';
  await writeJsonAtomically(evaluationPath(folder, split, variant), {
    ...summary,
    ranks: [...ranks],
    evaluatedUsers: [...evaluatedUsers],
  });
  return result;
}

/** Reads the result that `evaluateRun` kept; null if there is none. */
export async function readEvaluation(folder: string, split: 'test' | 'valid'): Promise<EvaluationResult | null> {
  const path = evaluationPath(folder, split);
  if (!existsSync(path)) return null;
  const kept = (await readRunJson(path)) as EvaluationResult;
  return { ...kept, ranks: Int32Array.from(kept.ranks), evaluatedUsers: Int32Array.from(kept.evaluatedUsers) };
}

function evaluationPath(folder: string, split: 'test' | 'valid', variant = ''): string {
  return join(folder, `evaluation-${split}${variant}.json`);
}
