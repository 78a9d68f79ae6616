import type * as z from 'zod';
import type { CausalLMConfig } from './causal_lm';
import { type decoderFields, ropeOf } from './hugging_face_config';

type DecoderFields = z.output<z.ZodObject<typeof decoderFields>>;

/** The part of a Llama-like config that means the same in every family; weights start as zeros. */
export function decoderConfig(fields: DecoderFields, source: string): CausalLMConfig {
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
    ...ropeOf(fields, source),
    initializerRange: 0,
  };
}

interface WindowFields extends DecoderFields {
  use_sliding_window: boolean;
  sliding_window?: number | null;
  max_window_layers: number;
  layer_types?: ('full_attention' | 'sliding_attention')[] | null;
}

/** Qwen's sliding window: off unless asked for, and only from layer `max_window_layers` on. */
export function qwenWindow(fields: WindowFields): Pick<CausalLMConfig, 'slidingWindow' | 'layerTypes'> {
  const slidingWindow = fields.use_sliding_window ? (fields.sliding_window ?? null) : null;
  if (slidingWindow === null) return { slidingWindow };
  const layerTypes =
    fields.layer_types ??
    Array.from({ length: fields.num_hidden_layers }, (_, layer) =>
      layer >= fields.max_window_layers ? 'sliding_attention' : 'full_attention',
    );
  return { slidingWindow, layerTypes };
}
