import { DEFAULT_MAX_HISTORY, type TrainConfig } from '../config/train_config';
import { leaveOneOut } from '../data/leave_one_out';
import type { LeaveOneOut, PreparedData } from '../data/types';
import { countItems } from '../generation/item_ties';
import { buildPrefixTrie, type PrefixTrie } from '../generation/prefix_trie';
import { SemanticIdTokenizer } from '../tokenizers/semantic_id_tokenizer';

/** A dataset as every method trains on it. */
export interface TrainingData {
  readonly numItems: number;
  readonly split: LeaveOneOut;
  readonly tokenizer: SemanticIdTokenizer;
  readonly trie: PrefixTrie;
  /** Training interactions of each item, [N]. */
  readonly itemCounts: Int32Array;
}

export function trainingData(prepared: PreparedData): TrainingData {
  const split = leaveOneOut(prepared);
  const tokenizer = SemanticIdTokenizer.fromSemanticIds(prepared.semanticIds);
  const numItems = prepared.itemIds.length;
  return { numItems, split, tokenizer, trie: buildPrefixTrie(tokenizer.itemTokens), itemCounts: countItems(split.train, numItems) };
}

/** Fills in what depends on the dataset and the command line; {seed} in paths becomes the seed. */
export function resolveConfig(config: TrainConfig, prepared: PreparedData, overrides: { epochs?: number; seed?: number } = {}): TrainConfig {
  const { training, method } = config;
  const { seed = config.seed, epochs = training.epochs } = overrides;
  const maxHistory = training.maxHistory ?? prepared.report.maxHistory ?? DEFAULT_MAX_HISTORY;
  const withSeed = (path: string | undefined): string | undefined => path?.replaceAll('{seed}', String(seed));
  return {
    ...config,
    seed,
    method: { ...method, rewardRun: withSeed(method.rewardRun) },
    training: { ...training, maxHistory, epochs, initialWeights: withSeed(training.initialWeights) },
  };
}
