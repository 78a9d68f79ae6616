import { type SeenOptions, seenRuleOf } from '../config/seen_rule';
import type { Resolved } from '../config/shared_config';
import { IlrecError } from '../errors';
import type { Fusion } from '../evaluation/fusion';
import type { AskedModel, RunItem, ScoredItem } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { Catalogue } from './catalogue';

/** A recommended item. */
export interface Recommendation {
  readonly id: string;
  readonly title: string | null;
  /** Log-probability of the item's tokens for a language model over tokens, the model's own score otherwise. */
  readonly score: number;
  /**
   * From 0 to 1. Of a model that scores all items, as with item tokens: the item's share of the softmax over the items
   * that may be listed. Of one that writes tokens: the probability of the item's tokens, among everything that the model
   * could write. null where scores are no logarithms of probabilities.
   */
  readonly probability: number | null;
}

/** How lists are made. */
export interface RecommendListsOptions extends SeenOptions {
  /** How many items. Default 10, or all of a smaller catalogue. */
  k?: number;
  /** Leaves items out of a history that the catalogue does not have, instead of refusing it. Default false. */
  skipUnknown?: boolean;
  /** Called with the number of lists done so far. */
  onProgress?: (done: number, total: number) => void;
}

/** The list for one history, and how it came about. */
export interface RecommendationList {
  /** Best first. There are fewer than k where items of the history are left out of a small catalogue. */
  readonly items: readonly Recommendation[];
  /** `cold-start` for an empty history: the items with the most training interactions. */
  readonly basis: 'history' | 'cold-start';
  /** Names in the history that the catalogue does not have. */
  readonly skipped: readonly string[];
  /** Different items of the history that the rule for items seen left out. */
  readonly leftOut: number;
}

/** Items of a list where nothing else is asked for. */
export const USUAL_LENGTH = 10;

/** What lists are made with: a finished run, wherever it lies. */
export interface AskedRun {
  readonly items: readonly RunItem[];
  readonly config: Resolved<TrainConfig>;
  readonly model: AskedModel;
  /** The other model whose scores count in the lists; undefined for none. */
  fusion(): Promise<Fusion | undefined>;
}

/**
 * Makes a list for each history, a batch at a time.
 *
 * @param histories ids or titles of items, oldest first.
 * @param caller the public function that errors name.
 * @throws IlrecError when an item is unknown or `k` is out of range.
 */
export async function listsFor(
  run: AskedRun,
  histories: readonly (readonly string[])[],
  { k: askedLength, skipUnknown = false, onProgress, ...asked }: RecommendListsOptions,
  caller: string,
  catalogue = new Catalogue(run.items),
): Promise<RecommendationList[]> {
  const { items, config, model } = run;
  const k = askedLength ?? Math.min(USUAL_LENGTH, items.length);
  if (!Number.isInteger(k) || k < 1 || k > items.length)
    throw new IlrecError(`${caller}: k must be an integer from 1 to ${items.length}, got ${k}`);
  const { seen: rule, ...evaluation } = config.evaluation;
  const excludes = seenRuleOf(caller, asked, rule) === 'exclude';
  const found = histories.map((names) => catalogue.findAll(names, caller, skipUnknown));
  const beamWidth = Math.max(evaluation.beamWidth, k); // each beam leads to an item, so the list is full
  const options = { ...evaluation, k, beamWidth, fusion: await run.fusion() };
  const lists: RecommendationList[] = [];
  for (let from = 0; from < found.length; from += evaluation.batchSize) {
    const batch = found.slice(from, from + evaluation.batchSize);
    const known = batch.map(({ history }) => history).filter(({ length }) => length > 0);
    const exclude = known.map((history) => new Set(excludes ? history : []));
    const ranked = (await rankAll(model, known, { ...options, exclude })).values();
    const left = exclude.values();
    for (const { history, unknown } of batch) {
      const isCold = history.length === 0;
      const list = isCold ? mostPopular(items, k) : (ranked.next().value as ScoredItem[]);
      lists.push({
        items: list.map(({ item, score, probability = null }) => ({
          id: items[item].id,
          title: items[item].title,
          score,
          probability,
        })),
        basis: isCold ? 'cold-start' : 'history',
        skipped: unknown,
        leftOut: isCold ? 0 : (left.next().value as ReadonlySet<number>).size,
      });
    }
    onProgress?.(lists.length, found.length);
  }
  return lists;
}

/** What the probabilities of a list are shares of; null where it has none. @param hasFusion see `AskedRun.fusion`. */
export function probabilityText(
  { config, model, items }: AskedRun,
  { basis, leftOut }: RecommendationList,
  hasFusion: boolean,
): string | null {
  if (basis === 'cold-start') return 'share of the training interactions';
  if (model.scorer !== null) return `share of the softmax over the ${items.length - leftOut} items that may be listed`;
  if (model.languageModel === null || hasFusion) return null;
  return config.evaluation.renormalize
    ? `of the item's tokens, among those of all ${items.length} items`
    : "of the item's tokens, among everything that the model could write";
}

type RankBatch = NonNullable<AskedModel['rankBatch']>;

async function rankAll(model: AskedModel, ...[histories, options]: Parameters<RankBatch>): Promise<ScoredItem[][]> {
  if (histories.length === 0) return [];
  if (model.rankBatch !== undefined) return await model.rankBatch(histories, options);
  const lists: ScoredItem[][] = [];
  for (const [at, history] of histories.entries())
    lists.push(await model.rank(history, { ...options, exclude: options.exclude[at] }));
  return lists;
}

/** The items with the most training interactions, with the smoothed shares of the method `popularity`. */
function mostPopular(items: readonly RunItem[], k: number): ScoredItem[] {
  const total = items.reduce((sum, { count }) => sum + count, items.length);
  return items
    .map(({ count }, item) => ({ item, count }))
    .sort((a, b) => b.count - a.count || a.item - b.item)
    .slice(0, k)
    .map(({ item, count }) => ({ item, score: Math.log((count + 1) / total), probability: (count + 1) / total }));
}
