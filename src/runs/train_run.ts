import { resolve } from 'node:path';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import type { AskedSeenRule } from '../config/seen_rule';
import { chooseSeenRule, type SeenChoice } from '../data/repeat_share';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { IlrecError } from '../errors';
import { checkModel, type Method, type Need } from '../methods/method';
import { findMethod, type MethodName, withOwn } from '../methods/registry';
import {
  canServe,
  FUSION_NEED,
  parseTrainConfig,
  resolveConfig,
  sectionOf,
  type TrainConfigInput,
  usedMethods,
  withoutUnusedSections,
} from '../methods/train_config';
import { trainingData } from '../methods/training_data';
import type { Baselines, NeededModel } from '../recommender/baselines';
import { datasetOptions } from '../recommender/dataset_options';
import { type RunContext, trainMethod, type TrainingOutcome } from '../recommender/train_method';
import { withoutBudget } from '../recommender/training_budget';
import type { TrainingCallback } from '../training/train_model';
import { newManifest } from '../recommender/run_manifest';
import { beginRun } from './begin_run';
import { checkSameBackend, checkSameRun } from './check_resume';
import { folderPlace } from './folder_place';
import { loadRun } from './load_run';
import { readRunConfig } from './run_json';
import { RunClock } from './run_clock';
import { isRun, needFolder } from './run_paths';
import { readManifest, type RunManifest, writeManifest } from './manifest';
import { runFiles } from './method_files';
import { abandonRun, claimRunFolder } from './claim_folder';

export interface TrainRunOptions {
  /** A prepared folder. */
  data: string;
  /** The run folder to write. */
  out: string;
  /** The name of a method of the package, or a method of your own (`defineMethod`). */
  method: MethodName | Method;
  /** Settings as a config file holds them. Default: every default. */
  config?: TrainConfigInput;
  /** Methods of your own beside `method`, for example one that it needs. */
  methods?: readonly Method[];
  /** Replaces the config's epochs. */
  epochs?: number;
  /** Replaces the config's seed. */
  seed?: number;
  /** Replaces the config's rule for items seen, `evaluation.seen`. */
  seen?: AskedSeenRule;
  /** Resumes the run at `out` where there is one. Default false. */
  resume?: boolean;
  /** When aborted, the run writes a checkpoint after the step in progress and ends as 'interrupted'. */
  signal?: AbortSignal;
  /** Watch the run, e.g. `progress()`. Asked for once per model that is trained, with its name. */
  callbacks?: (label: string) => readonly TrainingCallback[];
  /** Called after each evaluation; `baselines` is what simple methods reach, empty while such a method is evaluated. */
  onEvaluation?: (label: string, record: EvaluationRecord, isBest: boolean, baselines: Baselines) => void;
  /** Called before training where the data chose the rule for items seen; not for a run that is resumed. */
  onSeenRule?: (choice: SeenChoice) => void;
}

/** Where a run is, and its manifest as training left it. */
export interface TrainRunResult {
  readonly run: string;
  readonly manifest: RunManifest;
}

/**
 * Trains one method into a run folder: weights, tokenizer, item index, config, manifest, log and checkpoints.
 *
 * Runs on the backend that is set. A run that was killed at any moment resumes with `resume`, with the same losses.
 * An error before the first checkpoint leaves nothing at `out`.
 *
 * @param options what to train, from which data, into which folder.
 * @returns the folder and its manifest; `manifest.status` is 'interrupted' where `signal` ended the run.
 * @throws IlrecError when `out` holds a run and `resume` is not set, the run there has another method, config, dataset
 *   or, where it is not done, backend, `out` holds anything else, or the config breaks its rules.
 * @example
 * ```ts
 * import { trainRun } from 'tfjs-ilrec/node';
 *
 * const config = { training: { epochs: 1, validationUsers: 0 }, model: { hiddenSize: 8, numHiddenLayers: 2 } };
 * const { manifest } = await trainRun({ data: 'data', out: 'runs/new', method: 'sft', config });
 * console.log(manifest.status); // done
 * ```
 */
export async function trainRun(options: TrainRunOptions): Promise<TrainRunResult> {
  const { out, resume = false } = options;
  const own = ownMethods(options);
  const method = findMethod(options.method, own);
  const prepared = await loadPrepared(options.data);
  const earlier = isRun(out) ? await readManifest(out) : null;
  if (earlier !== null && !resume)
    throw new IlrecError(`trainRun: ${out} already holds a run; add --resume to continue it, or choose another --out`);
  const kept = earlier === null ? null : await readRunConfig(out, own); // a run that is resumed keeps what it chose
  const asked = parseTrainConfig(options.config ?? {}, 'config', { methods: own, ...datasetOptions(prepared, kept) });
  const askedSeen = options.seen ?? asked.evaluation.seen;
  const isChosen = askedSeen === 'auto' && earlier === null;
  const seen = askedSeen === 'auto' && kept !== null ? kept.evaluation.seen : askedSeen;
  const resolved = resolveConfig(asked, prepared, { ...options, seen });
  const config = withoutBudget(withoutUnusedSections(resolved, usedMethods(method, resolved, own)), earlier?.chosen);
  if (earlier !== null) {
    await checkSameRun(out, earlier, method, config, prepared, own);
    if (earlier.status === 'done') return { run: out, manifest: earlier };
    checkSameBackend(out, earlier);
  }
  const begun: RunManifest = {
    ...(earlier ?? newManifest(resolve(options.data), method, config, prepared, { node: process.versions.node })),
    status: 'running',
  };
  const section = sectionOf(config, method);
  const files = runFiles(out);
  const context: RunContext = { section, config, files, data: trainingData(prepared), prepared };
  if (earlier === null) await claimRunFolder(out, config);
  if (isChosen) options.onSeenRule?.(chooseSeenRule(context.data.split.train));
  const clock = new RunClock(out, begun);
  let outcome: Outcome;
  try {
    if (earlier === null) await beginRun(begun, method, config, context);
    outcome = await trainInFolder(method, context, options, begun, earlier === null, clock);
  } catch (error) {
    const roles = [...(method.needs?.(section) ?? []), FUSION_NEED].map(({ role }) => role);
    // so that the corrected command can use the folder
    if (earlier === null) await abandonRun(out, roles, files.written);
    throw error;
  }
  clock.update();
  const manifest: RunManifest = { ...begun, ...outcome };
  await writeManifest(out, manifest);
  return { run: out, manifest };
}

type Outcome = TrainingOutcome & Pick<RunManifest, 'peakMemory'>;

/**
 * Builds the method and trains it in its folder.
 *
 * @param manifest gets the epochs where the config leaves them open.
 */
async function trainInFolder(
  method: Method,
  context: RunContext,
  options: TrainRunOptions,
  manifest: RunManifest,
  isNew: boolean,
  clock: RunClock,
): Promise<Outcome> {
  const built = await method.build(context);
  checkModel(method.name, 'build', built);
  try {
    const place = folderPlace(context, manifest, isNew, clock, (need, inner) => loadNeed(need, inner, options, clock));
    const outcome = await trainMethod(method, built, context, place, options);
    const peak = place.peakMemory();
    return peak === null ? outcome : { ...outcome, peakMemory: Math.max(peak, manifest.peakMemory ?? 0) };
  } finally {
    built.dispose();
  }
}

/**
 * The other model that a method is trained with: the run that the config names, counts made on the spot, or a run
 * that is trained into the run's own folder.
 */
async function loadNeed(
  need: Need,
  context: RunContext,
  options: TrainRunOptions,
  clock: RunClock,
): Promise<NeededModel | 'interrupted'> {
  const { config, data, section } = context;
  const own = ownMethods(options);
  const { runField, seedOffset = 0 } = need;
  const named = (runField === null ? undefined : (section as Record<string, unknown>)[runField]) as string | undefined;
  const folder = named ?? needFolder(options.out, need.role);
  if (named === undefined) {
    const method = findMethod(need.method, own);
    if (method.kind === 'counts' && need.isKept !== true)
      return { method: method.name, model: await method.build({ ...context, section: sectionOf(config, method) }) };
    const { callbacks, onEvaluation } = options;
    const { manifest } = await clock.waitFor(() =>
      trainRun({
        ...options,
        out: folder,
        method,
        methods: own,
        config,
        seed: config.seed + seedOffset,
        epochs: undefined,
        seen: undefined,
        resume: true,
        callbacks: callbacks && (() => callbacks(need.role)),
        onEvaluation: onEvaluation && ((_, ...evaluation) => onEvaluation(need.role, ...evaluation)),
      }),
    );
    if (manifest.status !== 'done') return 'interrupted';
  }
  const run = await loadRun(folder, { methods: own });
  const refuse = (rule: string): never => {
    run.dispose();
    throw new IlrecError(`trainRun: ${runField ?? need.role} must ${rule} at ${folder}`);
  };
  const { kind, name } = findMethod(run.manifest.method, own);
  const usable = withOwn(own).filter((one) => canServe(one, need, config));
  if (!need.kinds.includes(kind)) refuse(`be a run of ${usable.map((one) => one.name).join(', ')}, got ${name}`);
  if (need.scoresItems === true && run.model.scorer === null)
    refuse(`score items, got ${name} of style ${run.config.items.style}`);
  if (run.items.length !== data.numItems) refuse(`have the dataset's ${data.numItems} items, got ${run.items.length}`);
  const { itemIds } = context.prepared;
  const strange = run.items.findIndex(({ id }, item) => id !== itemIds[item]);
  if (strange >= 0) refuse(`have the dataset's items, got ${run.items[strange].id} in place of ${itemIds[strange]}`);
  return { method: name, model: run.model };
}

function ownMethods({ method, methods = [] }: TrainRunOptions): readonly Method[] {
  return typeof method === 'object' && method !== null ? [method, ...methods] : methods;
}
