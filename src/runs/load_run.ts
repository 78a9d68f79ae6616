import type * as tfl from '@tensorflow/tfjs-layers';
import { type SeenOptions, seenRuleOf } from '../config/seen_rule';
import type { Resolved } from '../config/shared_config';
import { IlrecError } from '../errors';
import type { Fusion } from '../evaluation/fusion';
import type { Recommender } from '../evaluation/recommenders';
import type { ItemCode } from '../methods/item_code';
import { type AskedModel, checkModel, type Method, type RunItem } from '../methods/method';
import { findMethod } from '../methods/registry';
import { sectionOf, type TrainConfig } from '../methods/train_config';
import type { ItemScorer } from '../models/item_scorer';
import { fusionWith } from '../recommender/fusion_weight';
import { readItems, readRunConfig } from './run_json';
import { readManifest, type RunManifest } from './manifest';
import { fusionFolder, runPaths } from './run_paths';
import { runFiles } from './method_files';

export interface LoadRunOptions {
  /** Methods of your own, one of which may have trained the run. */
  methods?: readonly Method[];
}

/** A finished run, ready to recommend. */
export interface LoadedRun {
  readonly folder: string;
  readonly manifest: RunManifest;
  readonly config: Resolved<TrainConfig>;
  readonly items: readonly RunItem[];
  /** The trained model, as its method loads it. */
  readonly model: AskedModel;
  /** Scores of all items; null for language models. */
  readonly scorer: ItemScorer | null;
  /** null for item scorers. */
  readonly languageModel: tfl.LayersModel | null;
  /** How the language model names items; null for item scorers. */
  readonly code: ItemCode | null;
  /** The other model whose scores count in the lists, loaded when it is first asked for; undefined for none. */
  fusion(): Promise<Fusion | undefined>;
  /** @param overrides replace the config's section `evaluation`. */
  recommender(
    histories: readonly ArrayLike<number>[],
    overrides?: { beamWidth?: number } & SeenOptions,
  ): Promise<Recommender>;
  /** Frees the models. */
  dispose(): void;
}

/**
 * Loads a finished run. Dispose it when done.
 *
 * @param folder the run folder.
 * @param options `methods`: methods of your own, one of which may have trained the run.
 * @returns the run with its model, config and items.
 * @throws IlrecError when the run is not finished, a file of it is missing or damaged, or its method is unknown.
 * @example
 * ```ts
 * import { loadRun, recommendFromRun } from 'tfjs-ilrec/node';
 *
 * const run = await loadRun('runs/popularity');
 * const items = await recommendFromRun(run, { history: [run.items[0].id], k: 3 });
 * console.log(items.length); // 3
 * run.dispose();
 * ```
 */
export async function loadRun(folder: string, { methods = [] }: LoadRunOptions = {}): Promise<LoadedRun> {
  const manifest = await readManifest(folder);
  if (manifest.status !== 'done') {
    throw new IlrecError(
      `loadRun: ${folder} must be a finished run, got one that is ${manifest.status}; resume it with \`ilrec ` +
        `train --resume --method ${manifest.method} --data ${manifest.data.folder} --config ` +
        `${runPaths(folder).config} --out ${folder}\``,
    );
  }
  const method = findMethod(manifest.method, methods, 'loadRun');
  const [config, items] = await Promise.all([readRunConfig(folder, methods), readItems(folder)]);
  const model = await method.load({ section: sectionOf(config, method), config, items, files: runFiles(folder) });
  checkModel(method.name, 'load', model);
  const { scorer, languageModel, code } = model;
  let other: Promise<LoadedRun> | undefined;
  const fusion = async (): Promise<Fusion | undefined> => {
    const found = config.evaluation.fusion;
    if (manifest.fusion === undefined || found === null) return undefined;
    other ??= loadRun(fusionFolder(folder, found), { methods });
    return fusionWith(await other, items.length, found.kind, manifest.fusion.weight);
  };
  return {
    folder,
    manifest,
    config,
    items,
    model,
    scorer,
    languageModel,
    code,
    fusion,
    recommender: async (histories, { beamWidth, ...asked } = {}) => {
      const { evaluation } = config;
      return model.recommender(histories, {
        ...evaluation,
        fusion: await fusion(),
        beamWidth: beamWidth ?? evaluation.beamWidth,
        seen: seenRuleOf('loadRun', asked, evaluation.seen),
      });
    },
    dispose: () => {
      model.dispose();
      void other?.then(
        (run) => run.dispose(),
        () => undefined, // told to who asked for it
      );
    },
  };
}
