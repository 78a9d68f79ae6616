import type * as z from 'zod';
import { IlrecError } from '../errors';
import type { CausalLMConfig } from './causal_lm';
import { type decoderFields, ropeOf } from './hugging_face_config';

type DecoderFields = z.output<z.ZodObject<typeof decoderFields>>;

/**
 * The settings that all Llama-like families share. Weights start as zeros, because the checkpoint overwrites them.
 *
 * @throws IlrecError when the sizes of the heads do not fit, or the rotary embedding is not supported.
 */
export function decoderConfig(fields: DecoderFields, source: string, caller = 'loadPretrained'): CausalLMConfig {
  checkHeads(fields, source, caller);
  if (fields.layer_types != null && fields.layer_types.length !== fields.num_hidden_layers)
    throw new IlrecError(
      `${caller}: layer_types in ${source}/config.json must have one entry for each of the ` +
        `${fields.num_hidden_layers} layers, got ${fields.layer_types.length}; use the checkpoint's own config`,
    );
  return {
    vocabSize: fields.vocab_size,
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    numHiddenLayers: fields.num_hidden_layers,
    numAttentionHeads: fields.num_attention_heads,
    numKeyValueHeads: fields.num_key_value_heads ?? fields.num_attention_heads,
    headDim: fields.head_dim ?? fields.hidden_size / fields.num_attention_heads,
    hiddenAct: fields.hidden_act,
    rmsNormEps: fields.rms_norm_eps,
    tieWordEmbeddings: fields.tie_word_embeddings,
    attentionDropout: fields.attention_dropout ?? 0,
    hiddenDropout: fields.hidden_dropout ?? 0,
    embeddingDropout: fields.embedding_dropout ?? 0,
    ...ropeOf(fields, source, caller),
    initializerRange: 0,
  };
}

function checkHeads(
  { hidden_size: hidden, num_attention_heads: heads, num_key_value_heads: groups, head_dim: size }: DecoderFields,
  source: string,
  caller: string,
): void {
  if (heads % (groups ?? heads) !== 0)
    throw new IlrecError(
      `${caller}: num_key_value_heads in ${source}/config.json must divide num_attention_heads, got ${groups} ` +
        `and ${heads}; use the checkpoint's own config`,
    );
  if (size == null && hidden % (2 * heads) !== 0)
    throw new IlrecError(
      `${caller}: hidden_size / num_attention_heads in ${source}/config.json must be even, got ${hidden} / ` +
        `${heads}; use the checkpoint's own config`,
    );
}

interface WindowFields extends DecoderFields {
  use_sliding_window: boolean;
  sliding_window: number | null;
  max_window_layers: number;
}

/**
 * Qwen's sliding window: off unless `use_sliding_window` is set, and only from layer `max_window_layers` on.
 *
 * @throws IlrecError when `layer_types` has a layer with a window, but there is none.
 */
export function qwenWindow(
  fields: WindowFields,
  source: string,
  caller = 'loadPretrained',
): Pick<CausalLMConfig, 'slidingWindow' | 'layerTypes'> {
  const slidingWindow = fields.use_sliding_window ? fields.sliding_window : null;
  if (slidingWindow === null) {
    checkLayerTypes(fields, ['full_attention'], 'it sets no window', source, caller);
    return { slidingWindow };
  }
  const layerTypes =
    fields.layer_types ??
    Array.from({ length: fields.num_hidden_layers }, (_, layer) =>
      layer >= fields.max_window_layers ? 'sliding_attention' : 'full_attention',
    );
  return { slidingWindow, layerTypes };
}

/**
 * Checks `layer_types` of a family whose layers all have the same attention. transformers ignores the field there; a
 * config that mixes both kinds means another model.
 *
 * @throws IlrecError when a layer has an attention that is not in `possible`.
 */
export function checkLayerTypes(
  { layer_types: types }: DecoderFields,
  possible: readonly string[],
  reason: string,
  source: string,
  caller = 'loadPretrained',
): void {
  const layer = (types ?? []).findIndex((type) => !possible.includes(type));
  if (layer >= 0)
    throw new IlrecError(
      `${caller}: layer_types in ${source}/config.json must be "${possible.join('" or "')}" for every layer, because ` +
        `${reason}, got "${types?.[layer]}" for layer ${layer}; use the checkpoint's own config`,
    );
}
