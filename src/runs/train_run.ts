import { resolve } from 'node:path';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import type { AskedSeenRule } from '../config/seen_rule';
import { chooseSeenRule, type SeenChoice } from '../data/repeat_share';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { IlrecError } from '../errors';
import { checkModel, type Method } from '../methods/method';
import { findMethod, type MethodName } from '../methods/registry';
import {
  FUSION_NEED,
  parseTrainConfig,
  resolveConfig,
  sectionOf,
  type TrainConfigInput,
  usedMethods,
  withoutUnusedSections,
} from '../methods/train_config';
import { trainingData } from '../methods/training_data';
import type { Baselines } from '../recommender/baselines';
import { datasetOptions } from '../recommender/dataset_options';
import { newManifest } from '../recommender/run_manifest';
import { type RunContext, trainMethod, type TrainingOutcome } from '../recommender/train_method';
import { withoutBudget } from '../recommender/training_budget';
import type { TrainingCallback } from '../training/train_model';
import { beginRun } from './begin_run';
import { refuseNoPath, refuseUnknownOptions, requireBackend } from './call_checks';
import { checkSameBackend, checkSameRun } from './check_resume';
import { folderPlace } from './folder_place';
import { loadNeed, type NeedOptions } from './load_need';
import { checkLength, type Prolonging, prolongingOf } from './prolong_run';
import { readRunConfig } from './run_json';
import { RunClock } from './run_clock';
import { isRun } from './run_paths';
import { readManifest, type RunManifest, writeManifest } from './manifest';
import { runFiles } from './method_files';
import { abandonRun, claimRunFolder } from './claim_folder';
import { withKeptLength } from './settle_length';

export interface TrainRunOptions {
  /** A prepared folder. */
  data: string;
  /** The run folder to write. */
  out: string;
  /** The name of a method of the package, or a method of your own (`defineMethod`). */
  method: MethodName | Method;
  /** Settings as a config file holds them. Default: every default; for a run that is resumed, its own. */
  config?: TrainConfigInput;
  /** Methods of your own beside `method`, for example one that it needs. */
  methods?: readonly Method[];
  /**
   * Replaces the config's epochs. Where `resume` finds a run of fewer, finished or not, it is trained for longer: from its
   * last checkpoint on, with the schedule of the longer run. `training.patience` of the config may then be another one.
   */
  epochs?: number;
  /** As `epochs`, in steps of the whole run; its last epoch is trained whole. */
  steps?: number;
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

const OPTIONS: readonly (keyof TrainRunOptions)[] = [
  'data',
  'out',
  'method',
  'config',
  'methods',
  'epochs',
  'steps',
  'seed',
  'seen',
  'resume',
  'signal',
  'callbacks',
  'onEvaluation',
  'onSeenRule',
];

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
 *   or, where it is not done, backend, or more epochs than asked for, `out` holds anything else, the config breaks its
 *   rules, an option is unknown, or there is no backend.
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
  refuseUnknownOptions('trainRun', options, OPTIONS);
  checkLength(options);
  const { out, resume = false } = options;
  refuseNoPath('trainRun', out);
  await requireBackend('trainRun');
  const own = ownMethods(options);
  const method = findMethod(options.method, own);
  const prepared = await loadPrepared(options.data);
  const earlier = isRun(out) ? await readManifest(out) : null;
  if (earlier !== null && !resume)
    throw new IlrecError(`trainRun: ${out} already holds a run; resume it, or choose another folder`);
  const kept = earlier === null ? null : await readRunConfig(out, own); // a run that is resumed keeps what it chose
  const asked = parseTrainConfig(options.config ?? kept ?? {}, 'config', {
    methods: own,
    ...datasetOptions(prepared, kept),
  });
  const askedSeen = options.seen ?? asked.evaluation.seen;
  const isChosen = askedSeen === 'auto' && earlier === null;
  const seen = askedSeen === 'auto' && kept !== null ? kept.evaluation.seen : askedSeen;
  const longer =
    earlier === null || kept === null
      ? null
      : await prolongingOf(out, method, options, earlier, kept.training, asked.training.patience);
  const resolved = resolveConfig(withKeptLength(asked, kept, earlier?.chosen, longer), prepared, {
    seed: options.seed,
    seen,
    epochs: earlier === null || kept?.training.epochs === undefined ? options.epochs : undefined,
  });
  const config = withoutBudget(withoutUnusedSections(resolved, usedMethods(method, resolved, own)), earlier?.chosen);
  if (earlier !== null) {
    await checkSameRun(out, earlier, method, config, prepared, own, longer !== null);
    if (earlier.status === 'done' && longer === null) return { run: out, manifest: earlier };
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
    outcome = await trainInFolder(method, context, options, begun, { isNew: earlier === null, longer }, clock);
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

interface Length {
  /** Whether no earlier call began the run. */
  readonly isNew: boolean;
  readonly longer: Prolonging | null;
}

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
  length: Length,
  clock: RunClock,
): Promise<Outcome> {
  const built = await method.build(context);
  checkModel(method.name, 'build', built);
  try {
    const needOptions = needOptionsOf(options, clock);
    const place = folderPlace(context, {
      manifest,
      ...length,
      asked: options,
      clock,
      loadNeed: (need, inner) => loadNeed(need, inner, needOptions),
    });
    const outcome = await trainMethod(method, built, context, place, options);
    const peak = place.peakMemory();
    return peak === null ? outcome : { ...outcome, peakMemory: Math.max(peak, manifest.peakMemory ?? 0) };
  } finally {
    built.dispose();
  }
}

/** How needs are trained: as the run itself, watched under their roles, and with seconds of their own. */
function needOptionsOf(options: TrainRunOptions, clock: RunClock): NeedOptions {
  const { out, data, signal, callbacks, onEvaluation } = options;
  const methods = ownMethods(options);
  return {
    out,
    methods,
    async train(folder, role, method, config, seed) {
      const { manifest } = await clock.waitFor(() =>
        trainRun({
          data,
          out: folder,
          method,
          methods,
          config,
          seed,
          resume: true,
          signal,
          callbacks: callbacks && (() => callbacks(role)),
          onEvaluation: onEvaluation && ((_, ...evaluation) => onEvaluation(role, ...evaluation)),
        }),
      );
      return manifest;
    },
  };
}

function ownMethods({ method, methods = [] }: TrainRunOptions): readonly Method[] {
  return typeof method === 'object' && method !== null ? [method, ...methods] : methods;
}
