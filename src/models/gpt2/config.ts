import * as z from 'zod';
import { IlrecError } from '../../errors';
import type { ActivationName } from '../../ops/activations';
import { activation, type HuggingFaceConfig, parseConfig, rate, size, unquantised } from '../hugging_face_config';

/** GPT-2's shape. */
export interface GPT2Config {
  /** V */
  vocabSize: number;
  /** D */
  hiddenSize: number;
  /** I */
  intermediateSize: number;
  /** L */
  numHiddenLayers: number;
  /** H */
  numAttentionHeads: number;
  /** Longest sequence. */
  maxPositionEmbeddings: number;
  hiddenAct: ActivationName;
  layerNormEpsilon: number;
  tieWordEmbeddings: boolean;
  /** Whether attention scores are divided by sqrt(F). */
  scaleAttnWeights: boolean;
  /** Whether attention scores are divided by the layer's number, 1 first. */
  scaleAttnByInverseLayerIdx: boolean;
  attentionDropout: number;
  hiddenDropout: number;
  embeddingDropout: number;
  /** Standard deviation of the initial weights, 0 for zeros. */
  initializerRange: number;
}

const fields = {
  ...unquantised,
  vocab_size: size,
  n_positions: size,
  n_embd: size,
  n_layer: size,
  n_head: size,
  n_inner: size.nullish(),
  activation_function: activation.default('gelu_new'),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  attn_pdrop: rate.default(0.1),
  resid_pdrop: rate.default(0.1),
  embd_pdrop: rate.default(0.1),
  add_cross_attention: z.literal(false, { error: 'cross attention is not supported' }).optional(),
};

/** @throws IlrecError on a setting that is out of range or not supported. */
export function gpt2Config(config: HuggingFaceConfig, source: string): GPT2Config {
  const parsed = parseConfig(fields, config, source);
  if (parsed.n_embd % parsed.n_head !== 0) throw new IlrecError(`loadPretrained: n_head in ${source}/config.json must divide n_embd, got ${parsed.n_head} and ${parsed.n_embd}; use the checkpoint's own config`);
  return {
    vocabSize: parsed.vocab_size,
    hiddenSize: parsed.n_embd,
    intermediateSize: parsed.n_inner ?? 4 * parsed.n_embd,
    numHiddenLayers: parsed.n_layer,
    numAttentionHeads: parsed.n_head,
    maxPositionEmbeddings: parsed.n_positions,
    hiddenAct: parsed.activation_function,
    layerNormEpsilon: parsed.layer_norm_epsilon,
    tieWordEmbeddings: parsed.tie_word_embeddings,
    scaleAttnWeights: parsed.scale_attn_weights,
    scaleAttnByInverseLayerIdx: parsed.scale_attn_by_inverse_layer_idx,
    attentionDropout: parsed.attn_pdrop,
    hiddenDropout: parsed.resid_pdrop,
    embeddingDropout: parsed.embd_pdrop,
    initializerRange: 0,
  };
}
