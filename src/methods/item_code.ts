import type { TrainingConfig } from '../config/shared_config';
import { historyPrompt } from '../generation/history_prompt';
import { buildPrefixTrie, type PrefixTrie } from '../generation/prefix_trie';
import type { ItemLanguage } from '../prompts/item_language';
import type { SemanticIdTokenizer } from '../tokenizers/semantic_id_tokenizer';

/** How a language model names items and is asked for them. */
export interface ItemCode {
  /** The prompt that asks for the item after a history. */
  readonly prompt: (history: ArrayLike<number>) => ArrayLike<number>;
  readonly trie: PrefixTrie;
  /** Training interactions of each item, [N]. */
  readonly itemCounts: ArrayLike<number>;
  /** Token ids that items are made of. */
  readonly responseTokens: readonly number[];
  /** Reads the history back from a prompt. Absent where a prompt is the items' tokens and nothing else. */
  readonly historyOf?: (prompt: Int32Array) => readonly number[] | null;
}

/** Names items by semantic ids in a vocabulary that has nothing else. */
export function semanticIdCode(
  { maxHistory }: Pick<TrainingConfig, 'maxHistory'>,
  tokenizer: SemanticIdTokenizer,
  itemCounts: ArrayLike<number>,
  trie = buildPrefixTrie(tokenizer.itemTokens),
): ItemCode {
  const firstItemToken = tokenizer.eosTokenId + 1;
  const responseTokens = Array.from({ length: tokenizer.vocabSize - firstItemToken }, (_, i) => firstItemToken + i);
  return { prompt: (history) => historyPrompt(tokenizer, history, maxHistory), trie, itemCounts, responseTokens };
}

/** Names items as a text language does. */
export function textCode(
  { itemTokens, responseTokens, prompt, historyOf }: ItemLanguage,
  itemCounts: ArrayLike<number>,
): ItemCode {
  return { prompt, historyOf, trie: buildPrefixTrie(itemTokens), itemCounts, responseTokens };
}
