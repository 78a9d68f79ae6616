import { causalLM } from '../causal_lm';
import type { ModelFamily } from '../family';
import { qwen3Config } from './config';
import { qwen3Weights, IGNORED_TENSORS } from './weights';

/** Qwen3: queries and keys are normalised per head. */
export const QWEN3: ModelFamily = {
  modelType: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  build: (config, source) => causalLM(qwen3Config(config, source)),
  weights: (config, source) => qwen3Weights(qwen3Config(config, source)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};
