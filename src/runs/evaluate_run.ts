import { type SeenOptions, seenRuleOf } from '../config/seen_rule';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { splitData } from '../data/split_data';
import { IlrecError } from '../errors';
import { type EvaluationResult, evaluateRecommender } from '../evaluation/evaluate_ranking';
import type { Method } from '../methods/method';
import { refuseUnknownOptions, requireBackend } from './call_checks';
import { keepEvaluation } from './kept_evaluation';
import { type LoadedRun, loadRun } from './load_run';

export interface EvaluateRunOptions extends SeenOptions {
  /** A finished run's directory. */
  run: string;
  /** Default 'test'. */
  split?: 'test' | 'valid';
  /** W of the beam search; fewer than 10 become 10, so that HR@10 has ten items to look at. Default: the run's. */
  beamWidth?: number;
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

const OPTIONS: readonly (keyof EvaluateRunOptions)[] = [
  'run',
  'split',
  'beamWidth',
  'users',
  'seed',
  'data',
  'methods',
  'onProgress',
  'seen',
  'excludeSeen',
];

/**
 * Evaluates a finished run over the whole catalogue and all test users.
 *
 * Keeps the result, with the rank of every user, as `evaluation-SPLIT.json` in the run. Where it is not of all users by
 * the run's config, the name says so: `-20-users`, `-seed-5`, `-beam-40`, `-exclude-seen` or `-with-seen`. A beam that is
 * narrower than the largest cutoff, 10, is widened to it, and the protocol says so.
 *
 * @param options the run and what to measure.
 * @returns metrics with 95 % intervals, the rank of every user, and the protocol.
 * @throws IlrecError when the run is not finished, its dataset is gone or has changed, an option is unknown, or there is
 *   no backend.
 * @example
 * ```ts
 * import { evaluateRun } from 'tfjs-ilrec/node';
 *
 * const { users, invalidItems, protocol } = await evaluateRun({ run: 'runs/popularity' });
 * console.log(users > 0, invalidItems, protocol.split); // true 0 test
 * ```
 */
export async function evaluateRun(options: EvaluateRunOptions): Promise<EvaluationResult> {
  refuseUnknownOptions('evaluateRun', options, OPTIONS);
  await requireBackend('evaluateRun');
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
  { split = 'test', beamWidth, users, seed = 0, data, onProgress, ...asked }: Omit<EvaluateRunOptions, 'run'> = {},
): Promise<EvaluationResult> {
  const { folder, manifest, config } = run;
  const seen = seenRuleOf('evaluateRun', asked, config.evaluation.seen);
  const prepared = await loadPrepared(data ?? manifest.data.folder);
  if (prepared.checksum !== manifest.data.checksum) {
    throw new IlrecError(
      `evaluateRun: the dataset must be the one that ${folder} was trained on, got another checksum at ` +
        `${data ?? manifest.data.folder}; name the right one in data`,
    );
  }
  const { holdOut, [split]: cases } = splitData(prepared);
  const { histories, targets, users: clusters } = cases;
  if (targets.length === 0)
    throw new IlrecError(
      `evaluateRun: the dataset at ${data ?? manifest.data.folder} must have rows of the split ${split}, got ` +
        'none; evaluate the other split',
    );
  const recommender = await run.recommender(histories, { beamWidth, seen });
  const began = performance.now();
  const result = await evaluateRecommender({
    ...recommender,
    targets,
    clusters,
    split,
    holdOut,
    users: users === undefined ? undefined : Math.min(users, targets.length),
    batchSize: config.evaluation.batchSize,
    seed,
    onProgress,
  });
  const seconds = (performance.now() - began) / 1000;
  await keepEvaluation(folder, manifest, config, { split, seen }, { result, seconds });
  return result;
}
