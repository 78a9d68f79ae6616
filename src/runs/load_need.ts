import { IlrecError } from '../errors';
import type { BuildContext, Method, Need } from '../methods/method';
import { findMethod, withOwn } from '../methods/registry';
import { canServe, sectionOf, type TrainConfig } from '../methods/train_config';
import type { NeededModel } from '../recommender/baselines';
import { type LoadedRun, loadRun } from './load_run';
import type { RunManifest } from './manifest';
import { readRunConfig } from './run_json';
import { isRun, needFolder } from './run_paths';

/** What a need is trained with. */
export interface NeedOptions {
  /** The folder of the run that needs it. */
  readonly out: string;
  /** Methods of the user's own. */
  readonly methods: readonly Method[];
  /** Trains a run into a folder, or resumes it. */
  readonly train: (
    folder: string,
    role: string,
    method: Method,
    config: TrainConfig,
    seed: number,
  ) => Promise<RunManifest>;
}

/**
 * The other model that a method is trained with: the run that the config names, counts made on the spot, or a run
 * that is trained into the run's own folder. One that is there already keeps the length that it was begun with.
 */
export async function loadNeed(
  need: Need,
  context: BuildContext & { readonly config: TrainConfig },
  { out, methods: own, train }: NeedOptions,
): Promise<NeededModel | 'interrupted'> {
  const { config, data, section } = context;
  const { runField, seedOffset = 0 } = need;
  const named = (runField === null ? undefined : (section as Record<string, unknown>)[runField]) as string | undefined;
  const folder = named ?? needFolder(out, need.role);
  if (named === undefined) {
    const method = findMethod(need.method, own);
    if (method.kind === 'counts' && need.isKept !== true)
      return { method: method.name, model: await method.build({ ...context, section: sectionOf(config, method) }) };
    const { status } = await train(
      folder,
      need.role,
      method,
      await withOwnLength(folder, config, own),
      config.seed + seedOffset,
    );
    if (status !== 'done') return 'interrupted';
  }
  const run = await loadNamed(folder, runField ?? need.role, own);
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

/** The config with the length and the patience of the run that is there. */
async function withOwnLength(folder: string, config: TrainConfig, own: readonly Method[]): Promise<TrainConfig> {
  if (!isRun(folder)) return config;
  const { epochs, evaluateEvery, patience } = (await readRunConfig(folder, own)).training;
  return { ...config, training: { ...config.training, epochs, evaluateEvery, patience } };
}

/** @param key of the config that names the run, for errors. */
async function loadNamed(folder: string, key: string, methods: readonly Method[]): Promise<LoadedRun> {
  try {
    return await loadRun(folder, { methods });
  } catch (error) {
    throw namingKey(error, key, folder);
  }
}

/** An error about a run that a key of the config names, in the words of the config. */
export function namingKey(error: unknown, key: string, folder: string): unknown {
  if (!(error instanceof IlrecError)) return error;
  const reason = error.message.replace(/^\w+: /, '');
  return new IlrecError(`trainRun: ${key} must name a finished run, got ${folder}: ${reason}`, { cause: error });
}
