import * as z from 'zod';
import { causalLM, type CausalLMConfig } from './causal_lm';
import { decoderConfig, qwenWindow } from './decoder_config';
import { decoderWeights, IGNORED_TENSORS } from './decoder_weights';
import { decoderFields, type HuggingFaceConfig, parseConfig, qwenWindowFields, size } from './hugging_face_config';
import type { ModelFamily } from './model_family';

/** Qwen3: queries and keys are normalised per head. */
export const QWEN3: ModelFamily = {
  modelType: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  build: (config, source, caller) => causalLM(qwen3Config(config, source, caller)),
  weights: (config, source, caller) => decoderWeights(qwen3Config(config, source, caller)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};

const fields = {
  ...decoderFields,
  ...qwenWindowFields,
  num_key_value_heads: size.nullable().default(32),
  max_position_embeddings: size.default(32768),
  head_dim: size.nullable().default(128),
  attention_bias: z.boolean().default(false),
};

/** @throws IlrecError when a setting is out of range or not supported. */
export function qwen3Config(config: HuggingFaceConfig, source: string, caller?: string): CausalLMConfig {
  const parsed = parseConfig(fields, config, source, caller);
  return {
    ...decoderConfig(parsed, source, caller),
    ...qwenWindow(parsed, source, caller),
    qkNorm: true,
    qkvBias: parsed.attention_bias,
    outputBias: parsed.attention_bias,
  };
}
