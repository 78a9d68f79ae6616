import { causalLM, type CausalLMConfig } from './causal_lm';
import { decoderConfig } from './decoder_config';
import { decoderWeights, IGNORED_TENSORS } from './decoder_weights';
import { decoderFields, type HuggingFaceConfig, parseConfig, size } from './hugging_face_config';
import type { ModelFamily } from './model_family';

/** Mistral 7B and its kin: Llama with a sliding window. */
export const MISTRAL: ModelFamily = {
  modelType: 'mistral',
  architecture: 'MistralForCausalLM',
  build: (config, source) => causalLM(mistralConfig(config, source)),
  weights: (config, source) => decoderWeights(mistralConfig(config, source)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};

const fields = {
  ...decoderFields,
  num_key_value_heads: size.nullable().default(8),
  sliding_window: size.nullable().default(4096),
};

/** @throws IlrecError on a setting that is out of range or not supported. */
export function mistralConfig(config: HuggingFaceConfig, source: string): CausalLMConfig {
  const parsed = parseConfig(fields, config, source);
  return { ...decoderConfig(parsed, source), slidingWindow: parsed.sliding_window };
}
