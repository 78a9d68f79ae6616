import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type SeenOptions, type SeenRule, seenRuleOf } from '../config/seen_rule';
import { writeJsonAtomically } from '../files/atomic_file_node';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { splitData } from '../data/split_data';
import { IlrecError } from '../errors';
import { type EvaluationResult, evaluateRecommender } from '../evaluation/evaluate_ranking';
import type { Method } from '../methods/method';
import { type LoadedRun, loadRun } from './load_run';
import { readRunConfig, readRunJson } from './run_json';

export interface EvaluateRunOptions extends SeenOptions {
  /** A finished run's directory. */
  run: string;
  /** Default 'test'. */
  split?: 'test' | 'valid';
  /** W of the beam search. Default: the run's. */
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

/**
 * Evaluates a finished run over the whole catalogue and all test users.
 *
 * Keeps the result, with the rank of every user, as `evaluation-SPLIT.json` in the run. An evaluation whose
 * rule for items seen differs from the run's config has `-exclude-seen` or `-with-seen` in the name.
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
  { split = 'test', beamWidth, users, seed = 0, data, onProgress, ...asked }: Omit<EvaluateRunOptions, 'run'> = {},
): Promise<EvaluationResult> {
  const { folder, manifest, config } = run;
  const seen = seenRuleOf('evaluateRun', asked, config.evaluation.seen);
  const prepared = await loadPrepared(data ?? manifest.data.folder);
  if (prepared.checksum !== manifest.data.checksum) {
    throw new IlrecError(
      `evaluateRun: the dataset must be the one that ${folder} was trained on, got another checksum at ` +
        `${data ?? manifest.data.folder}; name the right one with --data`,
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
  const { ranks, evaluatedUsers, itemCounts, ...summary } = result;
  await writeJsonAtomically(evaluationPath(folder, split, seen, config.evaluation.seen), {
    ...summary,
    ranks: [...ranks],
    evaluatedUsers: [...evaluatedUsers],
    itemCounts: [...itemCounts],
    seconds: (performance.now() - began) / 1000,
  });
  return result;
}

/** What `evaluateRun` keeps of an evaluation. */
export interface KeptEvaluation {
  readonly result: EvaluationResult;
  /** How long it took; 0 where an older release kept it. */
  readonly seconds: number;
}

/**
 * Reads the result that `evaluateRun` kept; null if there is none, or one of an older release, which has no counts of
 * the items.
 *
 * @param methods the user's own.
 */
export async function readEvaluation(
  folder: string,
  split: 'test' | 'valid',
  seen: SeenRule,
  methods: readonly Method[] = [],
): Promise<KeptEvaluation | null> {
  const { evaluation } = await readRunConfig(folder, methods);
  const path = evaluationPath(folder, split, seen, evaluation.seen);
  if (!existsSync(path)) return null;
  const { seconds = 0, ...kept } = (await readRunJson(path)) as EvaluationResult & { seconds?: number };
  if ((kept as Partial<EvaluationResult>).itemCounts === undefined) return null;
  const [ranks, evaluatedUsers, itemCounts] = [kept.ranks, kept.evaluatedUsers, kept.itemCounts].map((numbers) =>
    Int32Array.from(numbers),
  );
  return { result: { ...kept, ranks, evaluatedUsers, itemCounts }, seconds };
}

/** @param ownRule the rule for items seen of the run's config; an evaluation by the other one has its own name. */
function evaluationPath(folder: string, split: 'test' | 'valid', rule: SeenRule, ownRule: SeenRule): string {
  const otherRule = rule === 'exclude' ? '-exclude-seen' : '-with-seen';
  return join(folder, `evaluation-${split}${rule === ownRule ? '' : otherRule}.json`);
}
