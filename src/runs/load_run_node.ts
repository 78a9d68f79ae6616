import type * as tfl from '@tensorflow/tfjs-layers';
import { loadModel } from '../checkpoints/model_files_node';
import { type MethodName, readHistories, readItems, readManifest, readRunConfig, readTokenizer, type RunItem, type RunManifest, runPaths } from './run_directory_node';
import type { TrainConfig } from '../config/train_config';
import { IlrecError } from '../errors';
import type { Recommender } from '../evaluation/recommenders';
import { buildPrefixTrie } from '../generation/prefix_trie';
import type { ItemScorer } from '../models/item_scorer';
import { markovScorer } from '../models/markov';
import { popularityScorer } from '../models/popularity';
import { sasrecScorer } from '../models/sasrec_scorer';
import { type ItemCode, itemScorerRecommender, languageModelRecommender, semanticIdCode } from '../methods/arms';
import { disposeModel } from '../models/dispose_model';
import { textCode } from '../methods/text_arm';
import { loadTextModel } from '../methods/text_model_node';

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
  /** How the language model names items; null for item scorers. */
  readonly code: ItemCode | null;
  /** `beamWidth` and `excludeSeen` replace the config's. */
  recommender(histories: readonly ArrayLike<number>[], overrides?: { beamWidth?: number; excludeSeen?: boolean }): Promise<Recommender>;
  dispose(): void;
}

/** Loads a run; `evaluate`, `recommend` and the reward start here. @throws IlrecError when the run is not finished. */
export async function loadRun(folder: string): Promise<LoadedRun> {
  const manifest = await readManifest(folder);
  if (manifest.status !== 'done') {
    throw new IlrecError(`loadRun: ${folder} must be a finished run, got one that is ${manifest.status}; go on with \`ilrec train --resume --method ${manifest.method} --data ${manifest.data.folder} --config ${runPaths(folder).config} --out ${folder}\``);
  }
  const [config, items] = await Promise.all([readRunConfig(folder), readItems(folder)]);
  const { method } = manifest;
  const language = method === 'ilrec' || method === 'sft' ? await loadLanguageModel(folder, config, items) : null;
  const model = language?.model ?? (method === 'sasrec' ? await loadModel(runPaths(folder).model) : null);
  const scorer = method === 'sasrec' ? sasrecScorer(model as tfl.LayersModel) : model === null ? countingScorer(method as 'popularity' | 'markov', await readHistories(folder), items.length) : null;
  const { languageModel, code } = { languageModel: language?.model ?? null, code: language?.code ?? null };
  return {
    folder,
    manifest,
    config,
    items,
    scorer,
    languageModel,
    code,
    async recommender(histories, overrides = {}) {
      const { beamWidth = config.evaluation.beamWidth, excludeSeen = config.evaluation.excludeSeen } = overrides;
      const asked: TrainConfig = { ...config, evaluation: { ...config.evaluation, beamWidth, excludeSeen } };
      if (scorer !== null) return itemScorerRecommender(scorer, withSasrecHistory(asked, method), histories);
      return languageModelRecommender(languageModel as tfl.LayersModel, asked, code as ItemCode, histories);
    },
    dispose: () => {
      if (model !== null) disposeModel(model);
    },
  };
}

/** The language model of a run and how it names items. */
async function loadLanguageModel(folder: string, config: TrainConfig, items: readonly RunItem[]): Promise<{ model: tfl.LayersModel; code: ItemCode }> {
  const itemCounts = Int32Array.from(items, ({ count }) => count);
  if (config.items.style === 'ids') {
    const tokenizer = await readTokenizer(folder);
    return { model: await loadModel(runPaths(folder).model), code: semanticIdCode(config, { tokenizer, trie: buildPrefixTrie(tokenizer.itemTokens), itemCounts }) };
  }
  const catalogue = { itemIds: items.map(({ id }) => id), titles: items.map(({ title }) => title), semanticIds: items.map(({ semanticId = [] }) => semanticId) };
  const { model, language } = await loadTextModel(folder, config, catalogue);
  return { model, code: textCode(language, itemCounts) };
}

/** Popularity or Markov, from training histories. */
export function countingScorer(method: 'popularity' | 'markov', histories: readonly ArrayLike<number>[], numItems: number): ItemScorer {
  return method === 'popularity' ? popularityScorer(histories, numItems) : markovScorer(histories, numItems);
}

/** SASRec's own training section may say how much history it sees. */
function withSasrecHistory(config: TrainConfig, method: MethodName): TrainConfig {
  return method === 'sasrec' ? { ...config, training: { ...config.training, ...config.sasrec.training } } : config;
}
