import { IlrecError } from '../errors';
import type { FileSource } from '../files/file_source';
import { checkModel, type Method, type RunItem } from '../methods/method';
import { findMethod } from '../methods/registry';
import { FUSION_NEED, parseRunConfig, sectionOf } from '../methods/train_config';
import { fusionWith } from './fusion_weight';
import type { AskedRun } from './recommend_items';
import { RunCopy, type RunPart, sourceWithin } from './run_copy';
import { manifestOf, type RunManifest } from './run_manifest';

/** A finished run with its model, and its files in memory. */
export interface OpenRun extends AskedRun {
  readonly manifest: RunManifest;
  readonly files: RunCopy;
  /** The run of the other model whose scores count in the lists; null for none. */
  fusionRun(): Promise<OpenRun | null>;
  /** Frees the models. */
  dispose(): void;
}

/** Opens the source of another run that a config names. */
export type OpenSource = (location: string) => FileSource;

/**
 * Opens a finished run from its files. It reads files by their names alone, so that a static web server will do.
 *
 * @param methods the user's own.
 * @param openSource opens a run that the config names.
 * @throws IlrecError when a file is missing or damaged, or the run is not finished.
 */
export async function openRun(
  source: FileSource,
  methods: readonly Method[],
  caller: string,
  openSource: OpenSource,
): Promise<OpenRun> {
  const files = new RunCopy(source, caller);
  const manifest = manifestOf(await files.readJson('manifest.json'), caller, source.name);
  if (manifest.status !== 'done')
    throw new IlrecError(
      `${caller}: ${source.name} must be a finished run, got one that is ${manifest.status}; continue it with ` +
        '`ilrec train --resume`',
    );
  const method = findMethod(manifest.method, methods, caller);
  const config = parseRunConfig(await files.readJson('config.json'), `${source.name}/config.json`, methods);
  const items = (await files.readLines('items.jsonl')) as RunItem[];
  const model = await method.load({ section: sectionOf(config, method), config, items, files });
  checkModel(method.name, 'load', model);
  const { fusion } = config.evaluation;
  const open = async (): Promise<OpenRun | null> => {
    if (fusion === null || manifest.fusion === undefined) return null;
    const other = fusion.run === undefined ? sourceWithin(source, FUSION_NEED.role) : openSource(fusion.run);
    return await openRun(other, methods, caller, openSource);
  };
  let other: Promise<OpenRun | null> | undefined;
  const fusionRun = (): Promise<OpenRun | null> => (other ??= open());
  return {
    manifest,
    config,
    items,
    model,
    files,
    fusionRun,
    async fusion() {
      const run = await fusionRun();
      if (run === null || fusion === null || manifest.fusion === undefined) return undefined;
      const named = { scorer: run.model.scorer, folder: run.files.folder };
      return fusionWith(named, items.length, fusion.kind, manifest.fusion.weight);
    },
    dispose() {
      model.dispose();
      void other?.then(
        (run) => run?.dispose(),
        () => undefined, // told to who asked for it
      );
    },
  };
}

/** All files of a run, with those of the other model that counts in its lists. */
export async function partsOf(run: OpenRun): Promise<RunPart[]> {
  const isInside = run.config.evaluation.fusion?.run === undefined; // not another run that the config names
  const other = isInside ? await run.fusionRun() : null;
  const inside = other === null ? [] : await partsOf(other);
  return [...run.files.parts, ...inside.map((part) => ({ ...part, path: `${FUSION_NEED.role}/${part.path}` }))];
}
