import type { PreparedData } from '../data/types';
import { IlrecError } from '../errors';
import { checkModel, type Method, type Need } from '../methods/method';
import { findMethod } from '../methods/registry';
import {
  parseTrainConfig,
  resolveConfig,
  sectionOf,
  type TrainConfigInput,
  usedMethods,
  withoutUnusedSections,
} from '../methods/train_config';
import { trainingData } from '../methods/training_data';
import type { NeededModel } from './baselines';
import { datasetOptions } from './dataset_options';
import { fusionWith } from './fusion_weight';
import type { OpenRun } from './open_run';
import { jsonText, linesText, type NamedFiles, RunCopy } from './run_copy';
import { beginMethod, newManifest, type RunManifest, runItems } from './run_manifest';
import { chooseBudget, withBudget } from './training_budget';
import { type RunContext, type RunPlace, trainMethod, type TrainingWatch } from './train_method';

/** What is trained in memory. */
export interface FitInMemoryOptions extends TrainingWatch {
  readonly prepared: PreparedData;
  readonly method: Method;
  readonly config: TrainConfigInput;
  readonly seed?: number;
  /** The user's own methods. */
  readonly own: readonly Method[];
  readonly caller: string;
  /** Reads what the config names. Default: as in a browser. */
  readonly named?: NamedFiles;
  readonly versions?: Readonly<Record<string, string>>;
}

/**
 * Trains a method as `trainRun` does, with the same numbers, and keeps the run in memory.
 *
 * @returns a finished run.
 * @throws the reason of the signal when it is aborted.
 */
export async function fitInMemory(options: FitInMemoryOptions): Promise<OpenRun> {
  const { prepared, method, own, caller, signal } = options;
  signal?.throwIfAborted();
  const asked = parseTrainConfig(options.config, 'config', { methods: own, ...datasetOptions(prepared, null) });
  const resolved = resolveConfig(asked, prepared, { seed: options.seed });
  let config = withoutUnusedSections(resolved, usedMethods(method, resolved, own));
  const files = new RunCopy(null, caller, options.named);
  const context: RunContext = {
    section: sectionOf(config, method),
    config,
    files,
    data: trainingData(prepared),
    prepared,
  };
  const begun: RunManifest = newManifest('memory', method, config, prepared, options.versions);
  const startedAt = performance.now();
  await beginMethod(method, context);
  const built = await method.build(context);
  let other: OpenRun | null = null; // counts in the lists
  try {
    checkModel(method.name, 'build', built);
    const place: RunPlace = {
      store: null,
      async settle({ kind }, { settings, batches, epochsRatio }) {
        const finetunes = kind === 'language-model' && config.backbone.pretrained !== null;
        const chosen = chooseBudget(settings, batches.stepsPerEpoch, finetunes, epochsRatio);
        if (Object.keys(chosen).length > 0) {
          begun.chosen = chosen;
          config = { ...config, training: { ...config.training, ...chosen } };
        }
        return withBudget(settings, chosen);
      },
      checkStart: refuseStart,
      startFrom: (_, run) => refuseStart(run),
      async loadNeed(need, inner) {
        const needed = await fitNeed(need, inner, options);
        if (need.isKept !== true || needed.run === null) return needed;
        other = needed.run;
        const model = Object.create(needed.model, { dispose: { value: () => undefined } }) as NeededModel['model'];
        return { method: needed.method, model };
      },
      record: async () => ({ callbacks: [], onEvaluation: () => undefined, close: () => undefined }),
    };
    const outcome = await trainMethod(method, built, context, place, options);
    if (outcome.status !== 'done') throw signal?.reason;
    const seconds = (performance.now() - startedAt) / 1000;
    const manifest: RunManifest = { ...begun, ...outcome, seconds };
    const items = runItems(context);
    files.write('config.json', jsonText(config));
    files.write('items.jsonl', linesText(items));
    files.write('manifest.json', jsonText(manifest));
    const kept = other as OpenRun | null;
    const { fusion } = config.evaluation;
    return {
      manifest,
      config,
      items,
      model: built,
      files,
      fusionRun: async () => kept,
      fusion: async () =>
        kept === null || fusion === null || manifest.fusion === undefined
          ? undefined
          : fusionWith(
              { scorer: kept.model.scorer, folder: 'memory' },
              items.length,
              fusion.kind,
              manifest.fusion.weight,
            ),
      dispose() {
        built.dispose();
        kept?.dispose();
      },
    };
  } catch (error) {
    built.dispose();
    (other as OpenRun | null)?.dispose();
    throw error;
  }

  function refuseStart(run: string): never {
    throw new IlrecError(
      `${caller}: config must leave out training.initialWeights, got ${run}; trainRun starts from another run`,
    );
  }
}

/** Trains or counts another model that a method is trained with. */
async function fitNeed(
  need: Need,
  context: RunContext,
  options: FitInMemoryOptions,
): Promise<NeededModel & { readonly run: OpenRun | null }> {
  const { own, caller, callbacks, onEvaluation } = options;
  const { config, section } = context;
  const { role, runField, seedOffset = 0 } = need;
  const named = runField === null ? undefined : (section as Record<string, unknown>)[runField];
  if (named !== undefined)
    throw new IlrecError(
      `${caller}: config must leave out ${runField}, got ${String(named)}; trainRun takes the models of other runs`,
    );
  const method = findMethod(need.method, own, caller);
  if (method.kind === 'counts' && need.isKept !== true) {
    const model = await method.build({ ...context, section: sectionOf(config, method) });
    return { method: method.name, model, run: null };
  }
  const run = await fitInMemory({
    ...options,
    method,
    config,
    seed: config.seed + seedOffset,
    callbacks: callbacks && (() => callbacks(role)),
    onEvaluation: onEvaluation && ((_, ...evaluation) => onEvaluation(role, ...evaluation)),
  });
  return { method: method.name, model: modelOf(run), run };
}

/** The model of a run, which frees all of the run. */
function modelOf(run: OpenRun): NeededModel['model'] {
  return Object.create(run.model, { dispose: { value: () => run.dispose() } }) as NeededModel['model'];
}
