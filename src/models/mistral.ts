import { causalLM, type CausalLMConfig } from './causal_lm';
import { checkLayerTypes, decoderConfig } from './decoder_config';
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
  max_position_embeddings: size.default(131072),
  sliding_window: size.nullable().default(4096),
};

/** @throws IlrecError when a setting is out of range or not supported. */
export function mistralConfig(config: HuggingFaceConfig, source: string, caller?: string): CausalLMConfig {
  const parsed = parseConfig(fields, config, source, caller);
  const slidingWindow = parsed.sliding_window;
  if (slidingWindow === null) checkLayerTypes(parsed, ['full_attention'], 'sliding_window is null', source, caller);
  else checkLayerTypes(parsed, ['sliding_attention'], `sliding_window is ${slidingWindow}`, source, caller);
  return { ...decoderConfig(parsed, source, caller), slidingWindow };
}
