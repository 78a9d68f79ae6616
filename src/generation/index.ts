export type { BeamGuide } from './beam_guide';
export { constrainedBeamSearch, type BeamSearchOptions, type RankedItems } from './constrained_beam_search';
export type { CausalDecoder, DecoderState } from './decoder';
export { historyPrompt, type PromptTokenizer } from './history_prompt';
export { countItems, itemNumberTies, popularityTies, type TieRule } from './item_ties';
export { buildPrefixTrie, childOf, itemsEndingAt, nodeOfPrefix, type PrefixTrie } from './prefix_trie';
export { createModelDecoder, type ModelDecoderOptions } from './model_decoder';
export { generate, type GeneratedSequence, type GenerateOptions } from './generate';
