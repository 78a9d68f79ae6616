import { causalLM } from '../causal_lm';
import type { ModelFamily } from '../family';
import { llamaConfig } from './config';
import { llamaWeights, IGNORED_TENSORS } from './weights';

/** Llama 2 and 3.x, and what is built alike: SmolLM2, TinyLlama. */
export const LLAMA: ModelFamily = {
  modelType: 'llama',
  architecture: 'LlamaForCausalLM',
  build: (config, source) => causalLM(llamaConfig(config, source)),
  weights: (config, source) => llamaWeights(llamaConfig(config, source)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};
