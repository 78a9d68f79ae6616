import { DEFAULT_MAX_HISTORY, type TrainConfig } from '../config/train_config';
import { type DataSplit, splitData } from '../data/split_data';
import type { PreparedData } from '../data/types';
import { countItems } from '../generation/item_ties';
import { buildPrefixTrie, type PrefixTrie } from '../generation/prefix_trie';
import { SemanticIdTokenizer } from '../tokenizers/semantic_id_tokenizer';

/** A dataset as every method trains on it. */
export interface TrainingData {
  readonly numItems: number;
  readonly split: DataSplit;
  readonly tokenizer: SemanticIdTokenizer;
  readonly trie: PrefixTrie;
  /** Training interactions of each item, [N]. */
  readonly itemCounts: Int32Array;
}

export function trainingData(prepared: PreparedData): TrainingData {
  const split = splitData(prepared);
  const tokenizer = SemanticIdTokenizer.fromSemanticIds(prepared.semanticIds);
  const numItems = prepared.itemIds.length;
  return {
    numItems,
    split,
    tokenizer,
    trie: buildPrefixTrie(tokenizer.itemTokens),
    itemCounts: countItems(split.train, numItems),
  };
}

/** Fills in what depends on the dataset and the command line; {seed} in paths becomes the seed. */
export function resolveConfig(
  config: TrainConfig,
  prepared: PreparedData,
  overrides: { epochs?: number; seed?: number } = {},
): TrainConfig {
  const { training, method } = config;
  const { seed = config.seed, epochs = training.epochs } = overrides;
  const validationUsers = prepared.cases?.valid.length === 0 ? 0 : training.validationUsers; // nothing to validate on
  const maxHistory = training.maxHistory ?? prepared.report.maxHistory ?? DEFAULT_MAX_HISTORY;
  const withSeed = (path: string | undefined): string | undefined => path?.replaceAll('{seed}', String(seed));
  return {
    ...config,
    seed,
    method: { ...method, rewardRun: withSeed(method.rewardRun) },
    backbone: { ...config.backbone, pretrained: withSeed(config.backbone.pretrained ?? undefined) ?? null },
    training: { ...training, validationUsers, maxHistory, epochs, initialWeights: withSeed(training.initialWeights) },
  };
}
