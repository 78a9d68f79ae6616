import * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import { Dropout, GPT2Block, LayerNorm, LMHead, PositionEmbedding, TokenEmbedding } from '../layers';
import type { ActivationName } from '../ops/activations';
import { mixSeeds } from '../ops/dropout';
import { GPT2_MODULES } from './block_modules';
import { activation, type HuggingFaceConfig, parseConfig, rate, size, unquantised } from './hugging_face_config';
import type { CheckpointWeight, ModelFamily } from './model_family';

/** Causal masks, stored by older checkpoints. */
const IGNORED_TENSORS = /\.attn\.(masked_)?bias$/;

/** GPT-2, and models of the same architecture: DistilGPT-2, DialoGPT. */
export const GPT2: ModelFamily = {
  modelType: 'gpt2',
  architecture: 'GPT2LMHeadModel',
  build: (config, source, caller) => gpt2(gpt2Config(config, source, caller)),
  weights: (config, source, caller) => gpt2Weights(gpt2Config(config, source, caller)),
  basePrefix: 'transformer.',
  ignored: IGNORED_TENSORS,
};

/** Sizes and settings of a GPT-2, in the field names of `causalLM`. */
export interface GPT2Config {
  /** V, number of token ids. */
  vocabSize: number;
  /** D, width of the residual stream. */
  hiddenSize: number;
  /** I, width of the MLP. */
  intermediateSize: number;
  /** L, number of blocks. */
  numHiddenLayers: number;
  /** H, attention heads; divides D. */
  numAttentionHeads: number;
  /** Length of the longest sequence. */
  maxPositionEmbeddings: number;
  /** The MLP's activation. */
  hiddenAct: ActivationName;
  /** Added to the variance by the norms. */
  layerNormEpsilon: number;
  /** Whether the head shares the embedding's weights. */
  tieWordEmbeddings: boolean;
  /** Whether attention scores are divided by sqrt(F). */
  scaleAttnWeights: boolean;
  /** Whether attention scores are divided by the number of the layer, counted from 1. */
  scaleAttnByInverseLayerIdx: boolean;
  /** Dropout of the attention probabilities, in [0, 1). */
  attentionDropout: number;
  /** Dropout of each branch before it is added to the residual stream, in [0, 1). */
  hiddenDropout: number;
  /** Dropout of the embedded tokens, in [0, 1). */
  embeddingDropout: number;
  /** Standard deviation of the initial weights, 0 for zeros. */
  initializerRange: number;
}

/**
 * Builds GPT-2 (Radford et al., 2019) as a functional `tf.LayersModel`: token ids int32 [B, T] to logits [B, T, V].
 *
 * @param config sizes and settings; none has a default.
 * @param seed seed of weights and dropout. Default 0.
 * @returns the model, with random weights.
 * @throws IlrecError when a size is not a positive integer, or numAttentionHeads does not divide hiddenSize.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { gpt2 } from 'tfjs-ilrec';
 *
 * const sizes = { vocabSize: 100, hiddenSize: 8, intermediateSize: 16, numHiddenLayers: 2, numAttentionHeads: 2 };
 * const model = gpt2({
 *   ...sizes,
 *   maxPositionEmbeddings: 16,
 *   hiddenAct: 'gelu_new',
 *   layerNormEpsilon: 1e-5,
 *   tieWordEmbeddings: true,
 *   scaleAttnWeights: true,
 *   scaleAttnByInverseLayerIdx: false,
 *   attentionDropout: 0,
 *   hiddenDropout: 0,
 *   embeddingDropout: 0,
 *   initializerRange: 0.02,
 * });
 * console.log((model.predict(tf.tensor2d([[1, 5, 9]], [1, 3], 'int32')) as tf.Tensor).shape); // [ 1, 3, 100 ]
 * ```
 */
export function gpt2(config: GPT2Config, seed = 0): tfl.LayersModel {
  checkSizes(config);
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

function checkSizes(config: GPT2Config): void {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, maxPositionEmbeddings } =
    config ?? {};
  const sizes = { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, maxPositionEmbeddings };
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`gpt2: ${name} must be a positive integer, got ${value}`);
  }
  if (hiddenSize % numAttentionHeads !== 0)
    throw new IlrecError(`gpt2: numAttentionHeads must divide hiddenSize, got ${numAttentionHeads} and ${hiddenSize}`);
}

/** @throws IlrecError when a setting is out of range or not supported. */
function gpt2Config(config: HuggingFaceConfig, source: string, caller = 'loadPretrained'): GPT2Config {
  const parsed = parseConfig(fields, config, source, caller);
  if (parsed.n_embd % parsed.n_head !== 0)
    throw new IlrecError(
      `${caller}: n_head in ${source}/config.json must divide n_embd, got ${parsed.n_head} and ${parsed.n_embd}; ` +
        "use the checkpoint's own config",
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

/** The tensors of a GPT-2 checkpoint, in the order of the layers. */
function gpt2Weights(config: GPT2Config): CheckpointWeight[] {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, maxPositionEmbeddings } = config;
  const shapes: Record<keyof typeof GPT2_MODULES, readonly number[]> = {
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
    for (const [weight, module] of Object.entries(GPT2_MODULES)) {
      const shape = shapes[weight as keyof typeof GPT2_MODULES];
      add(`transformer.h.${i}.${module}.weight`, `h_${i}`, weight, shape);
      add(`transformer.h.${i}.${module}.bias`, `h_${i}`, `${weight}_bias`, [shape[shape.length - 1]]);
    }
  }
  add('transformer.ln_f.weight', 'ln_f', 'weight', [hiddenSize]);
  add('transformer.ln_f.bias', 'ln_f', 'bias', [hiddenSize]);
  if (!config.tieWordEmbeddings) add('lm_head.weight', 'lm_head', 'weight', [vocabSize, hiddenSize]);
  return weights;
}
