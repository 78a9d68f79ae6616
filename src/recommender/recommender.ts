import * as tf from '@tensorflow/tfjs-core';
import '../register'; // in a bundle nothing else does
import type { Evaluation } from '../callbacks/early_stopping';
import type { SeenOptions } from '../config/seen_rule';
import { IlrecError } from '../errors';
import { fetchSource } from '../files/fetch_source';
import type { FileSource } from '../files/file_source';
import type { Method, RunItem } from '../methods/method';
import { DEFAULT_METHOD, findMethod, type MethodName } from '../methods/registry';
import type { TrainConfigInput } from '../methods/train_config';
import type { PrepareOptions } from '../preparation/prepare';
import { Catalogue } from './catalogue';
import { fitInMemory, type FitInMemoryOptions } from './fit_in_memory';
import { indexedDbSource, writeIndexedDbRun } from './indexed_db_runs';
import { type Interactions, preparedOf } from './interactions';
import { type OpenRun, openRun, partsOf } from './open_run';
import { listsFor, type RecommendationList } from './recommend_items';
import { encodePart } from './run_copy';
import type { RunManifest } from './run_manifest';
import { similarTo } from './similar_items';
import type { TrainingWatch } from './train_method';

/** How far `Recommender.fit` is; told after each training step and each validation. */
export interface FitProgress {
  /** The method, or the role of a model that it needs and that is trained first, such as 'reward'. */
  readonly model: string;
  /** Steps done; 0 for a method that only counts. */
  readonly step: number;
  readonly totalSteps: number;
  /** Of the step; null for a method that only counts. */
  readonly loss: number | null;
  /** Metrics on validation users, by name, after a validation; null after a step. */
  readonly validation: Evaluation | null;
}

/** Options of `Recommender.fit`. */
export interface FitOptions {
  /** A method of the package, or one of your own (`defineMethod`). Default 'ilrec'. */
  method?: MethodName | Method;
  /** Settings as a config file holds them; everything may be left out. Default: those of `ilrec train`. */
  config?: TrainConfigInput;
  /** Methods of your own beside `method`. */
  methods?: readonly Method[];
  /** Replaces the config's seed, a whole number of at least 0. */
  seed?: number;
  /** How interactions are filtered and get semantic ids. Not used for data that are prepared already. */
  prepare?: PrepareOptions;
  onProgress?: (progress: FitProgress) => void;
  /** When aborted, training ends after the step in progress, and `fit` rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Options of `Recommender.load`. */
export interface LoadRecommenderOptions {
  /** Methods of your own, one of which may have trained the run. */
  methods?: readonly Method[];
}

/** Options of `recommend` of a `Recommender`. */
export interface AskOptions extends SeenOptions {
  /** Leaves items out of the history that the catalogue does not have, instead of refusing it. Default false. */
  skipUnknown?: boolean;
}

/** A recommended item; see `Recommendation` for its numbers. */
export interface RecommendedItem {
  /** The item's id. */
  readonly item: string;
  readonly title: string | null;
  readonly score: number;
  /** From 0 to 1; null where scores are no logarithms of probabilities. */
  readonly probability: number | null;
}

/** An item like another one. */
export interface NeighbourItem {
  /** The item's id. */
  readonly item: string;
  readonly title: string | null;
  /** Cosine of the two items' vectors, -1 to 1. */
  readonly similarity: number;
}

const INDEXED_DB = 'indexeddb://';

/**
 * Learns from interactions and recommends: the whole package in one object, in Node and in a browser.
 *
 * `fit` trains as `ilrec train` does, with the same numbers for the same data, config, seed and backend, and keeps the
 * run in memory. `load` opens what `save` or the command line wrote. Set the backend first, with `useBackend`.
 *
 * @example
 * ```ts
 * import { demoCatalogue, Recommender } from 'tfjs-ilrec';
 *
 * const shop = demoCatalogue({ numItems: 40, numUsers: 60 }); // or a list of { user, item, time }
 * const recommender = await Recommender.fit(shop, { method: 'markov' });
 * const list = await recommender.recommend(['gear-03', 'gear-07'], 5);
 * console.log(list.length, Object.keys(list[0]).join(', ')); // 5 item, title, score, probability
 * recommender.dispose();
 * ```
 */
export class Recommender {
  private readonly catalogue: Catalogue;
  private isDisposed = false;

  /**
   * `fit` and `load` are the ways to make a recommender.
   *
   * @internal
   */
  protected constructor(private readonly run: OpenRun) {
    this.catalogue = new Catalogue(run.items);
  }

  /**
   * Trains a recommender.
   *
   * @param interactions a list of `{ user, item, time? }`, or what `readPlain` or `prepareInteractions` returned. Users
   *   with fewer than three interactions are left out of training.
   * @param options method, config, seed, progress; see `FitOptions`.
   * @returns the recommender; dispose it when done.
   * @throws IlrecError when interactions or config are wrong; the signal's reason when it is aborted.
   */
  static async fit(interactions: Interactions, options: FitOptions = {}): Promise<Recommender> {
    return new this(await fitRecommender(interactions, options));
  }

  /**
   * Opens a run that `save` or `ilrec train` wrote.
   *
   * @param where the URL of a run folder on any web server, relative ones too; `indexeddb://NAME`; or any source of
   *   files. With `tfjs-ilrec/node` also the path of a folder.
   * @param options `methods`: methods of your own, one of which may have trained the run.
   * @returns the recommender; dispose it when done.
   * @throws IlrecError when a file is missing or damaged, or the run is not finished.
   */
  static async load(where: string | FileSource, options: LoadRecommenderOptions = {}): Promise<Recommender> {
    return new this(await loadRecommender(where, options, browserSource));
  }

  /** The items of the catalogue, with their training interactions. */
  get items(): readonly RunItem[] {
    return this.run.items;
  }

  /** What was trained, on what, and how well it did on the validation users. */
  get manifest(): RunManifest {
    return this.run.manifest;
  }

  /**
   * Recommends what comes after a history.
   *
   * @param history ids or titles of items, oldest first. Empty for a cold start: the list holds the most popular items.
   * @param k how many items, 1 or more. Default 10, or all of a smaller catalogue.
   * @param options items seen, and what is done about unknown ones.
   * @returns the items, best first; fewer than `k` where a small catalogue has no more that may be listed.
   * @throws IlrecError when an item is unknown, with the nearest names, or `k` is out of range.
   */
  async recommend(history: readonly string[], k?: number, options: AskOptions = {}): Promise<RecommendedItem[]> {
    const [{ items }] = await this.listsOf([history], k, options, 'recommend');
    return items.map(({ id, ...rest }) => ({ item: id, ...rest }));
  }

  /**
   * Recommends after many histories, in batches.
   *
   * @param histories ids or titles of items, oldest first.
   * @param k how many items each, 1 or more. Default 10, or all of a smaller catalogue.
   * @param options as of `recommend`.
   * @returns a list for each history.
   * @throws IlrecError as `recommend`.
   */
  async recommendAll(
    histories: readonly (readonly string[])[],
    k?: number,
    options: AskOptions = {},
  ): Promise<RecommendedItem[][]> {
    const lists = await this.listsOf(histories, k, options, 'recommendAll');
    return lists.map(({ items }) => items.map(({ id, ...rest }) => ({ item: id, ...rest })));
  }

  /**
   * Finds the items that the model takes to be like an item.
   *
   * @param item its id or title.
   * @param k how many items, 1 or more. Default 10, or all others of a smaller catalogue.
   * @returns other items, the most similar first.
   * @throws IlrecError when the item is unknown, `k` is out of range, or the method has no vectors of items, as
   *   popularity and markov.
   */
  async similar(item: string, k?: number): Promise<NeighbourItem[]> {
    const run = { ...this.opened('similar'), method: this.run.manifest.method };
    const found = await similarTo(run, item, k, 'Recommender.similar', this.catalogue);
    return found.map(({ id, ...rest }) => ({ item: id, ...rest }));
  }

  /**
   * Saves the run, so that `load` opens it. What was there under the name is replaced.
   *
   * @param where `indexeddb://NAME` in a browser. With `tfjs-ilrec/node` the path of a folder, which the command line
   *   takes as a run, and which a web server can serve to `load`.
   * @throws IlrecError when it cannot be written.
   */
  async save(where: string): Promise<void> {
    const run = this.opened('save');
    if (!where.startsWith(INDEXED_DB))
      throw new IlrecError(
        `Recommender.save: where must be ${INDEXED_DB}NAME, got ${where}; import Recommender from tfjs-ilrec/node to ` +
          'save into a folder',
      );
    const files: [string, Uint8Array][] = [];
    for (const part of await partsOf(run)) files.push(...(await encodePart(part, 'Recommender.save')));
    await writeIndexedDbRun(where.slice(INDEXED_DB.length), files, 'Recommender.save');
  }

  /** Frees the model. Nothing can be asked of the recommender afterwards. */
  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.run.dispose();
  }

  /**
   * The run.
   *
   * @internal
   * @throws IlrecError after `dispose`.
   */
  protected opened(call: string): OpenRun {
    if (!this.isDisposed) return this.run;
    throw new IlrecError(`Recommender.${call}: the recommender must not be disposed, got one that is; load it again`);
  }

  private async listsOf(
    histories: readonly (readonly string[])[],
    k: number | undefined,
    options: AskOptions,
    call: string,
  ): Promise<RecommendationList[]> {
    return await listsFor(this.opened(call), histories, { ...options, k }, `Recommender.${call}`, this.catalogue);
  }
}

/** Trains the run of a recommender. @param host what only Node has. */
export async function fitRecommender(
  interactions: Interactions,
  { method = DEFAULT_METHOD, config = {}, methods = [], seed, prepare = {}, onProgress, signal }: FitOptions,
  host: Pick<FitInMemoryOptions, 'named' | 'versions'> = {},
): Promise<OpenRun> {
  const caller = 'Recommender.fit';
  const own = typeof method === 'object' ? [method, ...methods] : methods;
  const watch = onProgress === undefined ? {} : watchProgress(onProgress);
  return await fitInMemory({
    ...host,
    ...watch,
    prepared: preparedOf(interactions, prepare, caller),
    method: findMethod(method, own, caller),
    config,
    seed,
    own,
    signal,
    caller,
  });
}

/** Opens the run of a recommender. @param sourceOf opens a place by its name. */
export async function loadRecommender(
  where: string | FileSource,
  { methods = [] }: LoadRecommenderOptions,
  sourceOf: (where: string) => FileSource,
): Promise<OpenRun> {
  await tf.ready();
  return await openRun(typeof where === 'string' ? sourceOf(where) : where, methods, 'Recommender.load', sourceOf);
}

/** A run by its URL, or in IndexedDB. */
export function browserSource(where: string): FileSource {
  return where.startsWith(INDEXED_DB)
    ? indexedDbSource(where.slice(INDEXED_DB.length), 'Recommender.load')
    : fetchSource(where);
}

function watchProgress(onProgress: (progress: FitProgress) => void): Omit<TrainingWatch, 'signal'> {
  const last = new Map<string, FitProgress>();
  return {
    callbacks: (model) => [
      {
        onStep({ step, loss }, { totalSteps }) {
          const progress: FitProgress = { model, step, totalSteps, loss, validation: null };
          last.set(model, progress);
          onProgress(progress);
        },
      },
    ],
    onEvaluation(model, { metrics }) {
      const before = last.get(model) ?? { model, step: 0, totalSteps: 0, loss: null };
      onProgress({ ...before, validation: metrics });
    },
  };
}
