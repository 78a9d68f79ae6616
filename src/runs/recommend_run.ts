import { type SeenOptions, seenRuleOf } from '../config/seen_rule';
import { IlrecError } from '../errors';
import { type LoadedRun, loadRun, type LoadRunOptions } from './load_run';

export interface RecommendOptions extends SeenOptions {
  /** Item ids, oldest first. */
  history: readonly string[];
  /** How many items. Default 10. */
  k?: number;
}

/** What `recommend` loads and asks. */
export interface RecommendRunOptions extends RecommendOptions, LoadRunOptions {
  /** A finished run's directory. */
  run: string;
}

/** A recommended item. */
export interface Recommendation {
  readonly id: string;
  readonly title: string | null;
  /** Log-probability of the item's tokens for a language model, the model's own score otherwise. */
  readonly score: number;
}

/**
 * Recommends from a finished run. To ask more than once, use `loadRun` and `recommendFromRun`.
 *
 * @param options the run, the history as item ids, and the length of the list.
 * @returns the items, best first.
 * @throws IlrecError when the run is not finished, an id is not in the catalogue or `k` is out of range.
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
 * @param options the history as item ids, and the length of the list.
 * @returns the items, best first.
 * @throws IlrecError when an id is not in the catalogue or `k` is out of range.
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
  { history: ids, k = 10, ...asked }: RecommendOptions,
): Promise<Recommendation[]> {
  const { items, config, model } = run;
  if (!Number.isInteger(k) || k < 1 || k > items.length)
    throw new IlrecError(`recommend: k must be an integer from 1 to ${items.length}, got ${k}`);
  const numberOf = new Map(items.map(({ id }, item) => [id, item]));
  const history = ids.map((id) => {
    const item = numberOf.get(id);
    if (item === undefined)
      throw new IlrecError(
        `recommend: history must hold ids of the catalogue, got "${id}"; the ids are in items.jsonl of the run`,
      );
    return item;
  });
  const { seen: rule, ...evaluation } = config.evaluation;
  const exclude = new Set(seenRuleOf('recommend', asked, rule) === 'exclude' ? history : []);
  const ranked = await model.rank(history, { ...evaluation, k, exclude, fusion: await run.fusion() });
  return ranked.map(({ item, score }) => ({ id: items[item].id, title: items[item].title, score }));
}
