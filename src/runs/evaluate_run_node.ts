import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeJsonAtomically } from '../files/atomic_file_node';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { splitData } from '../data/split_data';
import { IlrecError } from '../errors';
import { type EvaluationResult, evaluateRecommender } from '../evaluation/evaluate_ranking';
import { type LoadedRun, loadRun } from './load_run_node';

export interface EvaluateRunOptions {
  /** A finished run's directory. */
  run: string;
  /** Default 'test'. */
  split?: 'test' | 'valid';
  /** W of the beam search; default the run's. */
  beamWidth?: number;
  /** Leaves items of the history out of the lists; default as the run's config says. */
  excludeSeen?: boolean;
  /** How many users, drawn by `seed`; default all. */
  users?: number;
  /** Seed of the draw and of the intervals. Default 0. */
  seed?: number;
  /** The prepared folder, where it is no longer at the place that the manifest names. */
  data?: string;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Evaluates a finished run by leave-one-out over the whole catalogue and keeps the result, with each user's rank, as evaluation-SPLIT.json in the run;
 * where `excludeSeen` is not as the run's config says, under a name of its own.
 *
 * @throws IlrecError when the run is not finished, or its dataset is gone or changed.
 */
export async function evaluateRun(options: EvaluateRunOptions): Promise<EvaluationResult> {
  const run = await loadRun(options.run);
  try {
    return await evaluateLoadedRun(run, options);
  } finally {
    run.dispose();
  }
}

/** As `evaluateRun`, of a run that is loaded already; it stays loaded. */
export async function evaluateLoadedRun(run: LoadedRun, { split = 'test', beamWidth, excludeSeen, users, seed = 0, data, onProgress }: Omit<EvaluateRunOptions, 'run'> = {}): Promise<EvaluationResult> {
  const { folder, manifest, config } = run;
  const prepared = await loadPrepared(data ?? manifest.data.folder);
  if (prepared.checksum !== manifest.data.checksum) {
    throw new IlrecError(`evaluateRun: the dataset must be the one that ${folder} was trained on, got another checksum at ${data ?? manifest.data.folder}; name the right one with --data`);
  }
  const { holdOut, [split]: cases } = splitData(prepared);
  const { histories, targets } = cases;
  if (targets.length === 0) throw new IlrecError(`evaluateRun: the dataset at ${data ?? manifest.data.folder} must have rows of the split ${split}, got none; evaluate the other split`);
  const recommender = await run.recommender(histories, { beamWidth, excludeSeen });
  const result = await evaluateRecommender({ ...recommender, targets, split, holdOut, users: users === undefined ? undefined : Math.min(users, targets.length), batchSize: config.evaluation.batchSize, seed, onProgress });
  const { ranks, evaluatedUsers, ...summary } = result;
  const variant = result.protocol.excludeSeen === config.evaluation.excludeSeen ? '' : result.protocol.excludeSeen ? '-exclude-seen' : '-with-seen';
  await writeJsonAtomically(evaluationPath(folder, split, variant), { ...summary, ranks: [...ranks], evaluatedUsers: [...evaluatedUsers] });
  return result;
}

/** The result that `evaluateRun` kept, or null where there is none. */
export async function readEvaluation(folder: string, split: 'test' | 'valid'): Promise<EvaluationResult | null> {
  const text = await readFile(evaluationPath(folder, split), 'utf8').catch(() => null);
  if (text === null) return null;
  const kept = JSON.parse(text) as EvaluationResult;
  return { ...kept, ranks: Int32Array.from(kept.ranks), evaluatedUsers: Int32Array.from(kept.evaluatedUsers) };
}

function evaluationPath(folder: string, split: 'test' | 'valid', variant = ''): string {
  return join(folder, `evaluation-${split}${variant}.json`);
}
