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
