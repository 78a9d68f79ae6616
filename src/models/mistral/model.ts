import { causalLM } from '../causal_lm';
import type { ModelFamily } from '../family';
import { mistralConfig } from './config';
import { mistralWeights, IGNORED_TENSORS } from './weights';

/** Mistral 7B and its kin: Llama with a sliding window. */
export const MISTRAL: ModelFamily = {
  modelType: 'mistral',
  architecture: 'MistralForCausalLM',
  build: (config, source) => causalLM(mistralConfig(config, source)),
  weights: (config, source) => mistralWeights(mistralConfig(config, source)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};
