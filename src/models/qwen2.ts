import * as z from 'zod';
import { causalLM, type CausalLMConfig } from './causal_lm';
import { decoderConfig, qwenWindow } from './decoder_config';
import { decoderWeights, IGNORED_TENSORS } from './decoder_weights';
import { decoderFields, type HuggingFaceConfig, parseConfig, qwenWindowFields, size } from './hugging_face_config';
import type { ModelFamily } from './model_family';

/** Qwen2 and Qwen2.5: biases on queries, keys and values. */
export const QWEN2: ModelFamily = {
  modelType: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  build: (config, source, caller) => causalLM(qwen2Config(config, source, caller)),
  weights: (config, source, caller) => decoderWeights(qwen2Config(config, source, caller)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};

const fields = {
  ...decoderFields,
  ...qwenWindowFields,
  num_key_value_heads: size.nullable().default(32),
  max_position_embeddings: size.default(32768),
  head_dim: z.null({ error: 'Qwen2 has no head_dim; it is hidden_size / num_attention_heads' }).optional(),
};

/** @throws IlrecError when a setting is out of range or not supported. */
export function qwen2Config(config: HuggingFaceConfig, source: string, caller?: string): CausalLMConfig {
  const parsed = parseConfig(fields, config, source, caller);
  return { ...decoderConfig(parsed, source, caller), ...qwenWindow(parsed, source, caller), qkvBias: true };
}
