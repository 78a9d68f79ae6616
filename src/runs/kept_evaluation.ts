import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SeenRule } from '../config/seen_rule';
import type { EvaluationResult } from '../evaluation/evaluate_ranking';
import { LARGEST_CUTOFF } from '../evaluation/metrics';
import { widenedBeams } from '../evaluation/recommenders';
import { writeJsonAtomically } from '../files/atomic_file_node';
import type { Method } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { readManifest, type RunManifest } from './manifest';
import { readRunConfig, readRunJson } from './run_json';

/** What `evaluateRun` keeps of an evaluation. */
export interface KeptEvaluation {
  readonly result: EvaluationResult;
  /** How long it took; 0 where an older release kept it. */
  readonly seconds: number;
}

/** What was evaluated: two evaluations with the same answers here have the same ranks. */
export interface AskedEvaluation {
  readonly split: 'test' | 'valid';
  readonly seen: SeenRule;
  /** How many targets are drawn; all by default. */
  readonly users?: number;
  /** Seed of the draw. Default 0. */
  readonly seed?: number;
  /** Default: the run's. */
  readonly beamWidth?: number;
}

/** The model and the data of an evaluation, as its file names them; absent in files of older releases. */
interface EvaluatedModel {
  readonly checksum?: string;
  readonly steps?: number;
  readonly bestStep?: number | null;
}

type EvaluationFile = Omit<EvaluationResult, 'rows'> &
  Partial<EvaluationResult> &
  EvaluatedModel & { seconds?: number };

/**
 * Keeps an evaluation in its run, under a name that says what differs from one of all users by the run's config:
 * `evaluation-test.json`, `evaluation-test-20-users-seed-5.json`, `evaluation-test-exclude-seen-beam-40.json`.
 *
 * @param config of the run.
 */
export async function keepEvaluation(
  folder: string,
  manifest: RunManifest,
  { evaluation }: TrainConfig,
  { split, seen }: Pick<AskedEvaluation, 'split' | 'seen'>,
  { result, seconds }: KeptEvaluation,
): Promise<void> {
  const { ranks, evaluatedUsers, itemCounts, ...summary } = result;
  const { beamWidth, askedBeamWidth, users, usersTotal, bootstrap } = result.protocol;
  const name = nameOf(split, {
    seen: seen === evaluation.seen ? undefined : seen,
    users: users === usersTotal ? undefined : users,
    seed: bootstrap.seed,
    beamWidth: beamWidth === null ? undefined : namedBeams(askedBeamWidth ?? beamWidth, evaluation.beamWidth),
  });
  await writeJsonAtomically(join(folder, name), {
    ...summary,
    ranks: [...ranks],
    evaluatedUsers: [...evaluatedUsers],
    itemCounts: [...itemCounts],
    ...modelOf(manifest),
    seconds,
  });
}

/**
 * Reads an evaluation that `evaluateRun` kept. Files of older releases count too, where they hold what is asked.
 *
 * @param methods the user's own.
 * @returns null if there is none of the same split, users, seed of the draw, beam width, rule for items seen, data and
 *   weights, or only one of an older release, which has no counts of the items.
 */
export async function readEvaluation(
  folder: string,
  asked: AskedEvaluation,
  methods: readonly Method[] = [],
): Promise<KeptEvaluation | null> {
  const { evaluation } = await readRunConfig(folder, methods);
  const manifest = await readManifest(folder);
  const { split, users, seed = 0, beamWidth } = asked;
  const seen = asked.seen === evaluation.seen ? undefined : asked.seen;
  const beams = (numItems: number): number => widenedBeams(beamWidth ?? evaluation.beamWidth, LARGEST_CUTOFF, numItems);
  const own = { seen, users, seed, beamWidth: beamWidth && namedBeams(beamWidth, evaluation.beamWidth) };
  // all users where fewer are there than asked for, then the one name of older releases
  const names = new Set([nameOf(split, own), nameOf(split, { ...own, users: undefined }), nameOf(split, { seen })]);
  for (const name of names) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    const kept = (await readRunJson(path)) as EvaluationFile;
    const { protocol } = kept;
    const isSame =
      kept.itemCounts !== undefined &&
      protocol.split === split &&
      protocol.users === Math.min(users ?? Infinity, protocol.usersTotal) &&
      (protocol.users === protocol.usersTotal || (protocol.userSeed ?? 0) === seed) &&
      (protocol.beamWidth === null || protocol.beamWidth === beams(protocol.numItems)) &&
      (protocol.renormalize === null || protocol.renormalize === evaluation.renormalize) &&
      protocol.excludeSeen === (asked.seen === 'exclude') &&
      isOfModel(kept, manifest);
    if (isSame) return keptOf(kept);
  }
  return null;
}

function keptOf({ seconds = 0, checksum: _, steps: __, bestStep: ___, ...kept }: EvaluationFile): KeptEvaluation {
  const [ranks, evaluatedUsers, itemCounts] = [kept.ranks, kept.evaluatedUsers, kept.itemCounts].map((numbers) =>
    Int32Array.from(numbers),
  );
  const { rows = ranks.length } = kept;
  return { result: { ...kept, rows, ranks, evaluatedUsers, itemCounts } as EvaluationResult, seconds };
}

function modelOf({ data, steps, validation }: RunManifest): Required<EvaluatedModel> {
  return { checksum: data.checksum, steps, bestStep: validation?.bestStep ?? null };
}

/** An older file does not say of which weights it is; before a run could be trained for longer there was one model. */
function isOfModel(kept: EvaluatedModel, manifest: RunManifest): boolean {
  if (kept.checksum === undefined) return manifest.prolonged === undefined;
  const { checksum, steps, bestStep } = modelOf(manifest);
  return kept.checksum === checksum && kept.steps === steps && kept.bestStep === bestStep;
}

/** The beams in the name of an evaluation; undefined for those that the run's config asks for. */
function namedBeams(asked: number, own: number): number | undefined {
  const [beams, usual] = [asked, own].map((beamWidth) => widenedBeams(beamWidth, LARGEST_CUTOFF, Infinity));
  return beams === usual ? undefined : beams;
}

function nameOf(split: string, { seen, users, seed = 0, beamWidth }: Partial<AskedEvaluation>): string {
  const parts = [
    ...(seen === undefined ? [] : [seen === 'exclude' ? 'exclude-seen' : 'with-seen']),
    ...(users === undefined ? [] : [`${users}-users`]),
    ...(seed === 0 ? [] : [`seed-${seed}`]),
    ...(beamWidth === undefined ? [] : [`beam-${beamWidth}`]),
  ];
  return `evaluation-${[split, ...parts].join('-')}.json`;
}
