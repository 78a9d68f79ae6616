import type * as tfl from '@tensorflow/tfjs-layers';
import * as z from 'zod';
import { IlrecError } from '../../errors';
import { type ActivationName, ACTIVATIONS } from '../../ops/activations';
import { type HuggingFaceConfig, parseConfig, rate, size, unquantised } from '../hugging_face_config';
import type { CheckpointWeight, ModelFamily } from '../model_family';
import { t5, type T5Config, T5_LAYERS } from './t5';

/**
 * T5 1.0 and 1.1, Flan-T5, and models of the same architecture. It is not one of `FAMILIES`, whose models are causal
 * and have one input: `loadT5From` reads it.
 */
export const T5: ModelFamily = {
  modelType: 't5',
  architecture: 'T5ForConditionalGeneration',
  build: (config, source, caller): tfl.LayersModel => t5(t5Config(config, source, caller)),
  weights: (config, source, caller) => t5Weights(t5Config(config, source, caller)),
  basePrefix: '',
  // copies of the shared embedding; and a table of old files that no T5 reads
  ignored:
    /^((encoder|decoder)\.embed_tokens|decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias)\.weight$/,
};

const fields = {
  ...unquantised,
  vocab_size: size,
  d_model: size,
  d_kv: size,
  d_ff: size,
  num_layers: size,
  num_decoder_layers: size.nullish(),
  num_heads: size,
  relative_attention_num_buckets: size.default(32),
  relative_attention_max_distance: size.default(128),
  feed_forward_proj: z.string().default('relu'),
  layer_norm_epsilon: z.number().positive().default(1e-6),
  dropout_rate: rate.default(0.1),
  tie_word_embeddings: z.boolean().default(true),
  scale_decoder_outputs: z.boolean().nullish(), // written by transformers 5; before, a tied head was a scaled one
  pad_token_id: z.number().int().min(0).default(0),
};

type Sizes = Required<Omit<T5Config, 'seed'>>;

/** @throws IlrecError when a setting is out of range or not supported. */
export function t5Config(config: HuggingFaceConfig, source: string, caller = 'loadT5From'): Sizes {
  const parsed = parseConfig(fields, config, source, caller);
  return {
    vocabSize: parsed.vocab_size,
    hiddenSize: parsed.d_model,
    headDim: parsed.d_kv,
    intermediateSize: parsed.d_ff,
    numHiddenLayers: parsed.num_layers,
    numDecoderLayers: parsed.num_decoder_layers ?? parsed.num_layers,
    numAttentionHeads: parsed.num_heads,
    relativeAttentionNumBuckets: parsed.relative_attention_num_buckets,
    relativeAttentionMaxDistance: parsed.relative_attention_max_distance,
    ...mlpOf(parsed.feed_forward_proj, source, caller),
    rmsNormEps: parsed.layer_norm_epsilon,
    tieWordEmbeddings: parsed.tie_word_embeddings,
    scaleLogits: parsed.scale_decoder_outputs ?? parsed.tie_word_embeddings,
    dropout: parsed.dropout_rate,
    padTokenId: parsed.pad_token_id,
    initializerFactor: 0, // the checkpoint overwrites them
  };
}

/** `relu`, `gated-silu`, ...; `gated-gelu` has the tanh approximation. */
function mlpOf(projection: string, source: string, caller: string): Pick<Sizes, 'hiddenAct' | 'gatedMlp'> {
  const gatedMlp = projection.startsWith('gated-');
  const name = projection === 'gated-gelu' ? 'gelu_new' : projection.replace(/^gated-/, '');
  if (!Object.hasOwn(ACTIVATIONS, name))
    throw new IlrecError(
      `${caller}: feed_forward_proj in ${source}/config.json must be one of ${Object.keys(ACTIVATIONS).join(', ')}, ` +
        `alone or after "gated-", got ${projection}`,
    );
  return { hiddenAct: name as ActivationName, gatedMlp };
}

/** The tensors of a T5 checkpoint, in the order of the layers. */
function t5Weights(config: Sizes): CheckpointWeight[] {
  const { vocabSize, hiddenSize, numHiddenLayers, numDecoderLayers } = config;
  const { embedding, encoderBias, encoderNorm, encoderBlock, decoderBias, decoderNorm, decoderBlock, head } = T5_LAYERS;
  const table = [config.relativeAttentionNumBuckets, config.numAttentionHeads];
  const blocks = (stack: string, depth: number, nameOf: (layer: number) => string): CheckpointWeight[] =>
    Array.from({ length: depth }, (_, i) =>
      blockWeights(config, stack === 'decoder').map(({ name, ...weight }) => ({
        ...weight,
        name: `${stack}.block.${i}.${name}`,
        layer: nameOf(i),
      })),
    ).flat();
  const bias = 'block.0.layer.0.SelfAttention.relative_attention_bias';
  return [
    tensor('shared', embedding, 'weight', [vocabSize, hiddenSize]),
    tensor(`encoder.${bias}`, encoderBias, 'weight', table),
    ...blocks('encoder', numHiddenLayers, encoderBlock),
    tensor('encoder.final_layer_norm', encoderNorm, 'weight', [hiddenSize]),
    tensor(`decoder.${bias}`, decoderBias, 'weight', table),
    ...blocks('decoder', numDecoderLayers, decoderBlock),
    tensor('decoder.final_layer_norm', decoderNorm, 'weight', [hiddenSize]),
    ...(config.tieWordEmbeddings ? [] : [tensor('lm_head', head, 'weight', [vocabSize, hiddenSize])]),
  ];
}

/** The tensors of one block, without its place. */
function blockWeights(config: Sizes, isDecoder: boolean): CheckpointWeight[] {
  const { hiddenSize, numAttentionHeads, headDim, intermediateSize, gatedMlp } = config;
  const inner = numAttentionHeads * headDim;
  const modules = [['self', 'SelfAttention'] as const, ['cross', 'EncDecAttention'] as const];
  const attentions = modules.slice(0, isDecoder ? 2 : 1);
  const mlp = `layer.${attentions.length}`;
  return [
    ...attentions.flatMap(([name, module], layer) => [
      tensor(`layer.${layer}.layer_norm`, '', `${name}_norm`, [hiddenSize]),
      ...['q', 'k', 'v'].map((kernel) =>
        tensor(`layer.${layer}.${module}.${kernel}`, '', `${name}_${kernel}`, [inner, hiddenSize]),
      ),
      tensor(`layer.${layer}.${module}.o`, '', `${name}_o`, [hiddenSize, inner]),
    ]),
    tensor(`${mlp}.layer_norm`, '', 'mlp_norm', [hiddenSize]),
    ...(gatedMlp ? ['wi_0', 'wi_1'] : ['wi']).map((kernel) =>
      tensor(`${mlp}.DenseReluDense.${kernel}`, '', kernel, [intermediateSize, hiddenSize]),
    ),
    tensor(`${mlp}.DenseReluDense.wo`, '', 'wo', [hiddenSize, intermediateSize]),
  ].map((weight) => ({ ...weight, transposed: weight.shape.length === 2 }));
}

function tensor(module: string, layer: string, weight: string, shape: readonly number[]): CheckpointWeight {
  return { name: `${module}.weight`, layer, weight, shape, transposed: false };
}
