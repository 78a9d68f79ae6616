import { causalLM } from '../causal_lm';
import type { ModelFamily } from '../family';
import { qwen2Config } from './config';
import { qwen2Weights, IGNORED_TENSORS } from './weights';

/** Qwen2 and Qwen2.5: biases on queries, keys and values. */
export const QWEN2: ModelFamily = {
  modelType: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  build: (config, source) => causalLM(qwen2Config(config, source)),
  weights: (config, source) => qwen2Weights(qwen2Config(config, source)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};
