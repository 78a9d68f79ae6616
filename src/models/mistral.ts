import { causalLM, type CausalLMConfig } from './causal_lm';
import { decoderConfig } from './decoder_config';
import { decoderWeights, IGNORED_TENSORS } from './decoder_weights';
import { decoderFields, type HuggingFaceConfig, parseConfig, size } from './hugging_face_config';
import type { ModelFamily } from './model_family';

/** Mistral 7B and models of the same architecture: Llama with a sliding window. */
export const MISTRAL: ModelFamily = {
  modelType: 'mistral',
  architecture: 'MistralForCausalLM',
  build: (config, source, caller) => causalLM(mistralConfig(config, source, caller)),
  weights: (config, source, caller) => decoderWeights(mistralConfig(config, source, caller)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};

const fields = {
  ...decoderFields,
  num_key_value_heads: size.nullable().default(8),
  sliding_window: size.nullable().default(4096),
};

/** @throws IlrecError when a setting is out of range or not supported. */
export function mistralConfig(config: HuggingFaceConfig, source: string, caller?: string): CausalLMConfig {
  const parsed = parseConfig(fields, config, source, caller);
  return { ...decoderConfig(parsed, source, caller), slidingWindow: parsed.sliding_window };
}
