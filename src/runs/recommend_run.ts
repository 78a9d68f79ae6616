import {
  listsFor,
  type Recommendation,
  type RecommendationList,
  type RecommendListsOptions,
} from '../recommender/recommend_items';
import { type SimilarItem, similarTo } from '../recommender/similar_items';
import { type LoadedRun, loadRun, type LoadRunOptions } from './load_run';

export interface RecommendOptions extends Omit<RecommendListsOptions, 'onProgress'> {
  /** Ids or titles of items, oldest first. Empty for a cold start: the list then holds the most popular items. */
  history: readonly string[];
}

/** What `recommend` loads and asks. */
export interface RecommendRunOptions extends RecommendOptions, LoadRunOptions {
  /** A finished run's directory. */
  run: string;
}

/** What `similar` loads and asks. */
export interface SimilarOptions extends LoadRunOptions {
  /** A finished run's directory. */
  run: string;
  /** Id or title of an item. */
  item: string;
  /** How many items. Default 10, or all others of a smaller catalogue. */
  k?: number;
}

/**
 * Recommends from a finished run. To ask more than once, use `loadRun` and `recommendFromRun`.
 *
 * @param options the run, the history as ids or titles, and the length of the list.
 * @returns the items, best first; those with the most training interactions where the history is empty.
 * @throws IlrecError when the run is not finished, an item is not in the catalogue or `k` is out of range.
 * @example
 * ```ts
 * import { recommend } from 'tfjs-ilrec/node';
 *
 * const items = await recommend({ run: 'runs/popularity', history: [], k: 3 });
 * console.log(items.length, typeof items[0].id); // 3 string
 * ```
 */
export async function recommend({ run: folder, methods, ...options }: RecommendRunOptions): Promise<Recommendation[]> {
  const run = await loadRun(folder, { methods });
  try {
    return await recommendFromRun(run, options);
  } finally {
    run.dispose();
  }
}

/**
 * Recommends from a run that is already loaded. The run stays loaded.
 *
 * @param run of `loadRun`.
 * @param options the history as ids or titles, and the length of the list.
 * @returns the items, best first; those with the most training interactions where the history is empty.
 * @throws IlrecError when an item is not in the catalogue or `k` is out of range.
 * @example
 * ```ts
 * import { loadRun, recommendFromRun } from 'tfjs-ilrec/node';
 *
 * const run = await loadRun('runs/sft');
 * const history = [run.items[4].id, run.items[7].id];
 * const items = await recommendFromRun(run, { history, k: 5, seen: 'exclude' });
 * console.log(items.length, items.some(({ id }) => history.includes(id))); // 5 false
 * run.dispose();
 * ```
 */
export async function recommendFromRun(
  run: LoadedRun,
  { history, ...options }: RecommendOptions,
): Promise<Recommendation[]> {
  const [{ items }] = await listsFor(run, [history], options, 'recommend');
  return [...items];
}

/**
 * Makes lists for many histories, in batches, from a run that is already loaded. The run stays loaded.
 *
 * @param run of `loadRun`.
 * @param histories ids or titles of items, oldest first.
 * @param options the length of the lists, and what is done about unknown items; see `RecommendListsOptions`.
 * @returns a list for each history: its items, whether it is a cold start, and what was skipped.
 * @throws IlrecError when an item is not in the catalogue and `skipUnknown` is not set, or `k` is out of range.
 * @example
 * ```ts
 * import { loadRun, recommendLists } from 'tfjs-ilrec/node';
 *
 * const run = await loadRun('runs/sft');
 * const [first, cold] = await recommendLists(run, [[run.items[4].id], []], { k: 5 });
 * console.log(first.items.length, first.basis, cold.basis); // 5 history cold-start
 * run.dispose();
 * ```
 */
export async function recommendLists(
  run: LoadedRun,
  histories: readonly (readonly string[])[],
  options: RecommendListsOptions = {},
): Promise<RecommendationList[]> {
  return await listsFor(run, histories, options, 'recommendLists');
}

/**
 * Finds the items that a run's model takes to be like an item: those whose vectors have the largest cosine with the
 * item's. The vectors are the model's item embeddings or, of a model that writes tokens, its hidden states after a
 * history of each item alone.
 *
 * @param options the run, the item by id or title, and how many.
 * @returns other items, the most similar first.
 * @throws IlrecError when the run is not finished, the item is not in the catalogue, `k` is out of range, or the
 *   method has no vectors, as popularity and markov.
 * @example
 * ```ts
 * import { similar } from 'tfjs-ilrec/node';
 *
 * const items = await similar({ run: 'runs/sft', item: 'gear-03', k: 2 });
 * console.log(items.length, items[0].similarity <= 1); // 2 true
 * ```
 */
export async function similar({ run: folder, item, k, methods }: SimilarOptions): Promise<SimilarItem[]> {
  const run = await loadRun(folder, { methods });
  try {
    return await similarTo({ ...run, method: run.manifest.method }, item, k, 'similar');
  } finally {
    run.dispose();
  }
}
