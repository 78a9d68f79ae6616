import { z } from 'zod';
import type { CausalLMConfig } from '../causal_lm';
import { decoderConfig } from '../decoder_config';
import { decoderFields, type HuggingFaceConfig, parseConfig } from '../hugging_face_config';

const fields = { ...decoderFields, attention_bias: z.boolean().default(false), mlp_bias: z.boolean().default(false) };

/** @throws IlrecError on a setting that is out of range or not supported. */
export function llamaConfig(config: HuggingFaceConfig, source: string): CausalLMConfig {
  const parsed = parseConfig(fields, config, source);
  return { ...decoderConfig(parsed, source), qkvBias: parsed.attention_bias, outputBias: parsed.attention_bias, mlpBias: parsed.mlp_bias };
}
