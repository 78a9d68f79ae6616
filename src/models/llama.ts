import * as z from 'zod';
import { IlrecError } from '../errors';
import { causalLM, type CausalLMConfig, defaultSizes } from './causal_lm';
import { checkLayerTypes, decoderConfig } from './decoder_config';
import { decoderWeights, IGNORED_TENSORS } from './decoder_weights';
import { decoderFields, type HuggingFaceConfig, parseConfig, size } from './hugging_face_config';
import type { ModelFamily } from './model_family';

/** Llama 2 and 3.x, and models of the same architecture: SmolLM2, TinyLlama. */
export const LLAMA: ModelFamily = {
  modelType: 'llama',
  architecture: 'LlamaForCausalLM',
  build: (config, source, caller) => causalLM(llamaConfig(config, source, caller)),
  weights: (config, source, caller) => decoderWeights(llamaConfig(config, source, caller)),
  basePrefix: 'model.',
  ignored: IGNORED_TENSORS,
};

const fields = {
  ...decoderFields,
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  max_position_embeddings: size.default(2048),
};

/** @throws IlrecError when a setting is out of range or not supported. */
export function llamaConfig(config: HuggingFaceConfig, source: string, caller?: string): CausalLMConfig {
  const parsed = parseConfig(fields, config, source, caller);
  checkLayerTypes(parsed, ['full_attention'], 'a Llama has no window', source, caller);
  return {
    ...decoderConfig(parsed, source, caller),
    qkvBias: parsed.attention_bias,
    outputBias: parsed.attention_bias,
    mlpBias: parsed.mlp_bias,
  };
}

/**
 * Makes the config.json of a `causalLM` model, with which `savePretrained` writes a checkpoint that transformers reads
 * as a Llama.
 *
 * @param config the config that the model was built with.
 * @param tokens special tokens of the tokenizer. Default none.
 * @returns the content of config.json.
 * @throws IlrecError on settings that a Llama does not have: qkNorm, slidingWindow, ropeScaling, or qkvBias different
 * from outputBias.
 * @example
 * ```ts
 * import { llamaConfigJson } from 'tfjs-ilrec';
 *
 * const config = llamaConfigJson({ vocabSize: 100, hiddenSize: 8 }, { eosTokenId: 2 });
 * console.log(config.model_type, config.hidden_size, config.eos_token_id); // llama 8 2
 * ```
 */
export function llamaConfigJson(
  config: CausalLMConfig,
  tokens: { bosTokenId?: number | null; eosTokenId?: number | null; padTokenId?: number | null } = {},
): HuggingFaceConfig {
  const {
    vocabSize,
    qkNorm = false,
    slidingWindow = null,
    qkvBias = false,
    outputBias = false,
    ropeScaling = null,
  } = config;
  if (qkNorm || slidingWindow !== null || qkvBias !== outputBias || ropeScaling !== null) {
    throw new IlrecError(
      'llamaConfigJson: a Llama must have no qkNorm, no slidingWindow, no ropeScaling and equal qkvBias and ' +
        'outputBias, got other settings; write config.json by hand',
    );
  }
  const { hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim } =
    defaultSizes(config);
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabSize,
    hidden_size: hiddenSize,
    intermediate_size: intermediateSize,
    num_hidden_layers: numHiddenLayers,
    num_attention_heads: numAttentionHeads,
    num_key_value_heads: numKeyValueHeads,
    head_dim: headDim,
    hidden_act: config.hiddenAct ?? 'silu',
    rms_norm_eps: config.rmsNormEps ?? 1e-6,
    rope_theta: config.ropeTheta ?? 10000,
    tie_word_embeddings: config.tieWordEmbeddings ?? true,
    attention_bias: qkvBias,
    mlp_bias: config.mlpBias ?? false,
    attention_dropout: config.attentionDropout ?? 0,
    hidden_dropout: config.hiddenDropout ?? 0,
    embedding_dropout: config.embeddingDropout ?? 0,
    max_position_embeddings: 2048, // unused here, but transformers requires it
    bos_token_id: tokens.bosTokenId ?? null,
    eos_token_id: tokens.eosTokenId ?? null,
    pad_token_id: tokens.padTokenId ?? null,
    torch_dtype: 'float32',
  };
}
