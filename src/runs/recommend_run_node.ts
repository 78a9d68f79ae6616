import { IlrecError } from '../errors';
import { constrainedBeamSearch } from '../generation/constrained_beam_search';
import { popularityTies } from '../generation/item_ties';
import type { ItemScorer } from '../models/item_scorer';
import { createCausalDecoder } from '../models/causal_lm_decoder';
import { type LoadedRun, loadRun } from './load_run_node';

export interface RecommendOptions {
  /** Item ids, oldest first. */
  history: readonly string[];
  /** How many items. Default 10. */
  k?: number;
  /** Leaves items of the history out. Default: as the run's config says. */
  excludeSeen?: boolean;
}

/** A recommended item. */
export interface Recommendation {
  readonly id: string;
  readonly title: string | null;
  /** Log-probability of the item's tokens for a language model, the model's own log-score otherwise. */
  readonly score: number;
}

/** Recommends from a finished run. @throws IlrecError when an id is not in the catalogue. */
export async function recommend({
  run: folder,
  ...options
}: RecommendOptions & { run: string }): Promise<Recommendation[]> {
  const run = await loadRun(folder);
  try {
    return await recommendFromRun(run, options);
  } finally {
    run.dispose();
  }
}

/** As `recommend`, from a run that is loaded already; it stays loaded. */
export async function recommendFromRun(
  run: LoadedRun,
  { history: ids, k = 10, excludeSeen = run.config.evaluation.excludeSeen }: RecommendOptions,
): Promise<Recommendation[]> {
  const { items, scorer } = run;
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
  const exclude = new Set(excludeSeen ? history : []);
  const ranked =
    scorer === null ? await beamSearch(run, history, k, exclude) : await rankAll(scorer, history, k, exclude);
  return ranked.map(({ item, score }) => ({ id: items[item].id, title: items[item].title, score }));
}

interface Ranked {
  readonly item: number;
  readonly score: number;
}

async function beamSearch(
  { config, languageModel, code, items }: LoadedRun,
  history: number[],
  k: number,
  exclude: ReadonlySet<number>,
): Promise<Ranked[]> {
  if (languageModel === null || code === null) throw new Error('beamSearch: the run has no language model');
  const { beamWidth, renormalize } = config.evaluation;
  const [found] = await constrainedBeamSearch(createCausalDecoder(languageModel), code.trie, [code.prompt(history)], {
    beamWidth,
    renormalize,
    numItems: k,
    rankTies: popularityTies(items.map(({ count }) => count)),
    exclude: [exclude],
  });
  return Array.from(found.items, (item, i) => ({ item, score: found.scores[i] }));
}

async function rankAll(
  scorer: ItemScorer,
  history: number[],
  k: number,
  exclude: ReadonlySet<number>,
): Promise<Ranked[]> {
  const tensor = scorer.score([history]); // [1, N]
  const scores = await tensor.data();
  tensor.dispose();
  return Array.from(scores, (score, item) => ({ item, score }))
    .filter(({ item }) => !exclude.has(item))
    .sort((a, b) => b.score - a.score || a.item - b.item)
    .slice(0, k);
}
