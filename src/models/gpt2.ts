import * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import '../register'; // bundlers skip the import in index.ts
import { IlrecError } from '../errors';
import { Dropout, GPT2Block, LayerNorm, LMHead, PositionEmbedding, TokenEmbedding } from '../layers';
import type { ActivationName } from '../ops/activations';
import { mixSeeds } from '../ops/dropout';
import { activation, type HuggingFaceConfig, parseConfig, rate, size, unquantised } from './hugging_face_config';
import type { CheckpointWeight, ModelFamily } from './model_family';
/** Where each weight of a GPT-2 block is in a checkpoint, below `transformer.h.i.`; kernels there are [in, out] as ours are. */
export const BLOCK_MODULES = {
  ln_1: 'ln_1',
  c_attn: 'attn.c_attn',
  c_proj: 'attn.c_proj',
  ln_2: 'ln_2',
  c_fc: 'mlp.c_fc',
  mlp_c_proj: 'mlp.c_proj',
} as const;

/** Causal masks, which older checkpoints store. */
export const IGNORED_TENSORS = /\.attn\.(masked_)?bias$/;

/** GPT-2, and what is built alike: DistilGPT-2, DialoGPT. */
export const GPT2: ModelFamily = {
  modelType: 'gpt2',
  architecture: 'GPT2LMHeadModel',
  build: (config, source) => gpt2(gpt2Config(config, source)),
  weights: (config, source) => gpt2Weights(gpt2Config(config, source)),
  basePrefix: 'transformer.',
  ignored: IGNORED_TENSORS,
};

/** GPT-2 (Radford et al., 2019) as a functional `tf.LayersModel`: token ids int32 [B, T] to logits [B, T, V]. */
export function gpt2(config: GPT2Config, seed = 0): tfl.LayersModel {
  const {
    vocabSize,
    hiddenSize,
    numHiddenLayers,
    numAttentionHeads,
    maxPositionEmbeddings,
    intermediateSize,
    hiddenAct,
    layerNormEpsilon,
  } = config;
  const {
    attentionDropout,
    hiddenDropout,
    embeddingDropout,
    initializerRange,
    scaleAttnWeights,
    scaleAttnByInverseLayerIdx,
  } = config;
  const scale = scaleAttnWeights ? 1 / Math.sqrt(hiddenSize / numAttentionHeads) : 1;

  const inputIds = tfl.input({ shape: [null], dtype: 'int32', name: 'input_ids' }); // [B, T]
  const embedding = new TokenEmbedding({
    name: 'embed_tokens',
    vocabSize,
    hiddenSize,
    initializerRange,
    seed: mixSeeds(seed, 1),
  });
  const positions = new PositionEmbedding({
    name: 'embed_positions',
    maxPositionEmbeddings,
    initializerRange,
    seed: mixSeeds(seed, 5),
  });
  let hidden = positions.apply(embedding.apply(inputIds)) as tfl.SymbolicTensor; // [B, T, D]
  if (embeddingDropout > 0) {
    hidden = new Dropout({ name: 'embed_dropout', rate: embeddingDropout, seed: mixSeeds(seed, 2) }).apply(
      hidden,
    ) as tfl.SymbolicTensor;
  }
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const block = new GPT2Block({
      name: `h_${layer}`,
      numAttentionHeads,
      intermediateSize,
      attentionScale: scaleAttnByInverseLayerIdx ? scale / (layer + 1) : scale,
      hiddenAct,
      layerNormEpsilon,
      attentionDropout,
      hiddenDropout,
      initializerRange,
      seed: mixSeeds(seed, 3, layer),
    });
    hidden = block.apply(hidden) as tfl.SymbolicTensor; // [B, T, D]
  }
  const normed = new LayerNorm({ name: 'ln_f', epsilon: layerNormEpsilon }).apply(hidden); // [B, T, D]
  const head = config.tieWordEmbeddings
    ? embedding
    : new LMHead({ name: 'lm_head', vocabSize, initializerRange, seed: mixSeeds(seed, 4) });
  const logits = head.apply(normed) as tfl.SymbolicTensor; // [B, T, V]
  return tfl.model({ inputs: inputIds, outputs: logits, name: 'gpt2' });
}

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
  if (parsed.n_embd % parsed.n_head !== 0)
    throw new IlrecError(
      `loadPretrained: n_head in ${source}/config.json must divide n_embd, got ${parsed.n_head} and ${parsed.n_embd}; use the checkpoint's own config`,
    );
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

/** The tensors of a GPT-2 checkpoint, in the order of its layers. */
export function gpt2Weights(config: GPT2Config): CheckpointWeight[] {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, maxPositionEmbeddings } = config;
  const shapes: Record<keyof typeof BLOCK_MODULES, readonly number[]> = {
    ln_1: [hiddenSize],
    c_attn: [hiddenSize, 3 * hiddenSize],
    c_proj: [hiddenSize, hiddenSize],
    ln_2: [hiddenSize],
    c_fc: [hiddenSize, intermediateSize],
    mlp_c_proj: [intermediateSize, hiddenSize],
  };
  const weights: CheckpointWeight[] = [];
  const add = (name: string, layer: string, weight: string, shape: readonly number[]): number =>
    weights.push({ name, layer, weight, shape, transposed: false });
  add('transformer.wte.weight', 'embed_tokens', 'weight', [vocabSize, hiddenSize]);
  add('transformer.wpe.weight', 'embed_positions', 'weight', [maxPositionEmbeddings, hiddenSize]);
  for (let i = 0; i < numHiddenLayers; i++) {
    for (const [weight, module] of Object.entries(BLOCK_MODULES)) {
      const shape = shapes[weight as keyof typeof BLOCK_MODULES];
      add(`transformer.h.${i}.${module}.weight`, `h_${i}`, weight, shape);
      add(`transformer.h.${i}.${module}.bias`, `h_${i}`, `${weight}_bias`, [shape[shape.length - 1]]);
    }
  }
  add('transformer.ln_f.weight', 'ln_f', 'weight', [hiddenSize]);
  add('transformer.ln_f.bias', 'ln_f', 'bias', [hiddenSize]);
  if (!config.tieWordEmbeddings) add('lm_head.weight', 'lm_head', 'weight', [vocabSize, hiddenSize]);
  return weights;
}
