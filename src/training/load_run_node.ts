import type * as tfl from '@tensorflow/tfjs-layers';
import { loadModel } from '../checkpoints/model_files_node';
import { type MethodName, readHistories, readItems, readManifest, readRunConfig, readTokenizer, type RunItem, type RunManifest, runPaths } from '../checkpoints/run_directory_node';
import type { TrainConfig } from '../config/train_config';
import { IlrecError } from '../errors';
import type { Recommender } from '../evaluation/recommenders';
import { buildPrefixTrie } from '../generation/prefix_trie';
import type { ItemScorer } from '../models/item_scorer';
import { markovScorer } from '../models/markov';
import { popularityScorer } from '../models/popularity';
import { sasrecScorer } from '../models/sasrec_scorer';
import { itemScorerRecommender, languageModelRecommender } from './arms';
import { disposeModel } from './dispose_model';

/** A finished run, ready to recommend. */
export interface LoadedRun {
  readonly folder: string;
  readonly manifest: RunManifest;
  readonly config: TrainConfig;
  readonly items: readonly RunItem[];
  /** null for language models. */
  readonly scorer: ItemScorer | null;
  /** null for item scorers. */
  readonly languageModel: tfl.LayersModel | null;
  /** @param beamWidth replaces the config's. */
  recommender(histories: readonly ArrayLike<number>[], overrides?: { beamWidth?: number; excludeSeen?: boolean }): Promise<Recommender>;
  dispose(): void;
}

/** Loads a run; `evaluate`, `recommend` and the reward start here. @throws IlrecError when the run is not finished. */
export async function loadRun(folder: string): Promise<LoadedRun> {
  const manifest = await readManifest(folder);
  if (manifest.status !== 'done') {
    throw new IlrecError(`loadRun: ${folder} must be a finished run, got one that is ${manifest.status}; go on with \`ilrec train --resume --method ${manifest.method} --data ${manifest.data.folder} --out ${folder}\``);
  }
  const [config, items] = await Promise.all([readRunConfig(folder), readItems(folder)]);
  const { method } = manifest;
  const model = method === 'popularity' || method === 'markov' ? null : await loadModel(runPaths(folder).model);
  const scorer = method === 'sasrec' ? sasrecScorer(model as tfl.LayersModel) : model === null ? countingScorer(method as 'popularity' | 'markov', await readHistories(folder), items.length) : null;
  const languageModel = scorer === null ? model : null;
  return {
    folder,
    manifest,
    config,
    items,
    scorer,
    languageModel,
    async recommender(histories, overrides = {}) {
      const { beamWidth = config.evaluation.beamWidth, excludeSeen = config.evaluation.excludeSeen } = overrides;
      const asked: TrainConfig = { ...config, evaluation: { ...config.evaluation, beamWidth, excludeSeen } };
      if (scorer !== null) return itemScorerRecommender(scorer, withSasrecHistory(asked, method), histories);
      const tokenizer = await readTokenizer(folder);
      const data = { tokenizer, trie: buildPrefixTrie(tokenizer.itemTokens), itemCounts: Int32Array.from(items, ({ count }) => count) };
      return languageModelRecommender(languageModel as tfl.LayersModel, asked, data, histories);
    },
    dispose: () => {
      if (model !== null) disposeModel(model);
    },
  };
}

/** Popularity or Markov, from training histories. */
export function countingScorer(method: 'popularity' | 'markov', histories: readonly ArrayLike<number>[], numItems: number): ItemScorer {
  return method === 'popularity' ? popularityScorer(histories, numItems) : markovScorer(histories, numItems);
}

/** SASRec's own training section may say how much history it sees. */
function withSasrecHistory(config: TrainConfig, method: MethodName): TrainConfig {
  return method === 'sasrec' ? { ...config, training: { ...config.training, ...config.sasrec.training } } : config;
}
