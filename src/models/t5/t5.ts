import * as tfl from '@tensorflow/tfjs-layers';
import '../../register'; // in a bundle nothing else does
import { IlrecError } from '../../errors';
import { Dropout, LMHead, RMSNorm, TokenEmbedding } from '../../layers';
import { PaddingMask } from '../../layers/padding_mask';
import { T5Block, type T5BlockArgs } from '../../layers/t5_block';
import { T5PositionBias } from '../../layers/t5_position_bias';
import type { ActivationName } from '../../ops/activations';
import { mixSeeds } from '../../ops/dropout';

/** Sizes and settings of a T5. The defaults of the sizes are those of TIGER (Rajput et al., arXiv 2305.05065). */
export interface T5Config {
  /** V, number of token ids. */
  vocabSize: number;
  /** D, width of the residual streams. Default 128. */
  hiddenSize?: number;
  /** F, features of a head; H * F need not be D. Default 64. */
  headDim?: number;
  /** I, width of the MLPs. Default 1024. */
  intermediateSize?: number;
  /** Number of the encoder's blocks. Default 4. */
  numHiddenLayers?: number;
  /** Number of the decoder's blocks. Default that of the encoder. */
  numDecoderLayers?: number;
  /** H, attention heads. Default 6. */
  numAttentionHeads?: number;
  /** Buckets of relative positions, even, 4 or more. Default 32. */
  relativeAttentionNumBuckets?: number;
  /** Distance from which all positions share a bucket, above half of the number of buckets. Default 128. */
  relativeAttentionMaxDistance?: number;
  /** The MLPs' activation. Default 'relu'. */
  hiddenAct?: ActivationName;
  /** Whether the MLPs are gated, as in T5 1.1. Default false. */
  gatedMlp?: boolean;
  /** Added to the mean square by the norms. Default 1e-6. */
  rmsNormEps?: number;
  /** Whether the head shares the embedding's weights. Default true. */
  tieWordEmbeddings?: boolean;
  /** Whether logits are multiplied with 1 / sqrt(D), which a tied head needs. Default `tieWordEmbeddings`. */
  scaleLogits?: boolean;
  /**
   * Dropout of embedded tokens, attention probabilities, the MLPs' inner values, each branch and both final norms, in
   * [0, 1). Default 0.1.
   */
  dropout?: number;
  /** Token that fills the encoder's rows, which nothing sees. Default 0. */
  padTokenId?: number;
  /** Factor of the standard deviations of the initial weights, 0 for zeros. Default 1. */
  initializerFactor?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

const FIELDS: readonly string[] = [
  'vocabSize',
  'hiddenSize',
  'headDim',
  'intermediateSize',
  'numHiddenLayers',
  'numDecoderLayers',
  'numAttentionHeads',
  'relativeAttentionNumBuckets',
  'relativeAttentionMaxDistance',
  'hiddenAct',
  'gatedMlp',
  'rmsNormEps',
  'tieWordEmbeddings',
  'scaleLogits',
  'dropout',
  'padTokenId',
  'initializerFactor',
  'seed',
] satisfies (keyof T5Config)[];

/** Names of the layers that `createT5Decoder` and a checkpoint's tensors are matched by. */
export const T5_LAYERS = {
  embedding: 'embed_tokens',
  padding: 'padding_mask',
  encoderBias: 'encoder_position_bias',
  encoderNorm: 'encoder_norm',
  decoderBias: 'decoder_position_bias',
  decoderNorm: 'decoder_norm',
  scale: 'logits_scale',
  head: 'lm_head',
  encoderBlock: (layer: number): string => `encoder_block_${layer}`,
  decoderBlock: (layer: number): string => `decoder_block_${layer}`,
} as const;

/**
 * Builds T5 (Raffel et al., arXiv 1910.10683) as a functional `tf.LayersModel`. Inputs: what the encoder reads, int32
 * [B, S], padded on the right, and the decoder's tokens so far, int32 [B, T], which begin with a start token. Output:
 * logits [B, T, V].
 *
 * The default is T5 1.0: ReLU and a tied head, whose logits are multiplied with 1 / sqrt(D). T5 1.1 has
 * `{ hiddenAct: 'gelu_new', gatedMlp: true, tieWordEmbeddings: false }`.
 *
 * @param config sizes and settings; only `vocabSize` is required.
 * @returns the model, with random weights.
 * @throws IlrecError when a field is unknown, a size is not a positive integer, the buckets are out of range, or dropout
 *   is outside [0, 1).
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { t5 } from 'tfjs-ilrec';
 *
 * const model = t5({ vocabSize: 100, hiddenSize: 8, headDim: 4, intermediateSize: 16, numHiddenLayers: 2 });
 * const read = tf.tensor2d([[5, 9, 7]], [1, 3], 'int32');
 * const written = tf.tensor2d([[0, 4]], [1, 2], 'int32'); // the start token, and the first one written
 * console.log((model.predict([read, written]) as tf.Tensor).shape); // [ 1, 2, 100 ]
 * ```
 */
export function t5(config: T5Config): tfl.LayersModel {
  checkConfig(config);
  const { vocabSize, hiddenSize = 128, headDim = 64, intermediateSize = 1024, numAttentionHeads = 6 } = config;
  const { numHiddenLayers = 4, numDecoderLayers = numHiddenLayers } = config;
  const { relativeAttentionNumBuckets: numBuckets = 32, relativeAttentionMaxDistance: maxDistance = 128 } = config;
  const { hiddenAct = 'relu', gatedMlp = false, rmsNormEps = 1e-6, dropout = 0.1, padTokenId = 0 } = config;
  const { tieWordEmbeddings = true, scaleLogits = tieWordEmbeddings, initializerFactor = 1, seed = 0 } = config;

  const bias = (name: string, bidirectional: boolean, seed: number): T5PositionBias => {
    const initializerRange = initializerFactor * hiddenSize ** -0.5;
    return new T5PositionBias({
      name,
      numAttentionHeads,
      bidirectional,
      numBuckets,
      maxDistance,
      initializerRange,
      seed,
    });
  };
  const shape: T5BlockArgs = {
    numAttentionHeads,
    headDim,
    intermediateSize,
    hiddenAct,
    gatedMlp,
    rmsNormEps,
    dropout,
    initializerFactor,
  };
  const dropped = (hidden: tfl.SymbolicTensor, name: string, site: number): tfl.SymbolicTensor =>
    dropout === 0 ? hidden : apply(new Dropout({ name, rate: dropout, seed: mixSeeds(seed, 2, site) }), hidden);
  const embedding = new TokenEmbedding({
    name: T5_LAYERS.embedding,
    vocabSize,
    hiddenSize,
    initializerRange: initializerFactor,
    seed: mixSeeds(seed, 1),
  });

  const inputIds = tfl.input({ shape: [null], dtype: 'int32', name: 'input_ids' }); // [B, S]
  const padding = apply(new PaddingMask({ name: T5_LAYERS.padding, padTokenId }), inputIds); // [B, 1, 1, S]
  const encoderBias = apply(bias(T5_LAYERS.encoderBias, true, mixSeeds(seed, 3)), [inputIds, padding]); // [B, H, S, S]
  let encoded = dropped(apply(embedding, inputIds), 'encoder_embed_dropout', 0); // [B, S, D]
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const block = new T5Block({ ...shape, name: T5_LAYERS.encoderBlock(layer), seed: mixSeeds(seed, 4, layer) });
    encoded = apply(block, [encoded, encoderBias]); // [B, S, D]
  }
  encoded = apply(new RMSNorm({ name: T5_LAYERS.encoderNorm, epsilon: rmsNormEps }), encoded);
  encoded = dropped(encoded, 'encoder_dropout', 1); // [B, S, D]

  const decoderIds = tfl.input({ shape: [null], dtype: 'int32', name: 'decoder_input_ids' }); // [B, T]
  const decoderBias = apply(bias(T5_LAYERS.decoderBias, false, mixSeeds(seed, 5)), decoderIds); // [1, H, T, T]
  let hidden = dropped(apply(embedding, decoderIds), 'decoder_embed_dropout', 2); // [B, T, D]
  for (let layer = 0; layer < numDecoderLayers; layer++) {
    const name = T5_LAYERS.decoderBlock(layer);
    const block = new T5Block({ ...shape, name, crossAttention: true, seed: mixSeeds(seed, 6, layer) });
    hidden = apply(block, [hidden, decoderBias, encoded, padding]); // [B, T, D]
  }
  hidden = apply(new RMSNorm({ name: T5_LAYERS.decoderNorm, epsilon: rmsNormEps }), hidden);
  hidden = dropped(hidden, 'decoder_dropout', 3); // [B, T, D]
  if (scaleLogits) hidden = apply(tfl.layers.rescaling({ name: T5_LAYERS.scale, scale: hiddenSize ** -0.5 }), hidden);
  const head = tieWordEmbeddings
    ? embedding
    : new LMHead({
        name: T5_LAYERS.head,
        vocabSize,
        initializerRange: initializerFactor * hiddenSize ** -0.5, // logits start near 0, as a scaled tied head's
        seed: mixSeeds(seed, 7),
      });
  return tfl.model({ inputs: [inputIds, decoderIds], outputs: apply(head, hidden), name: 't5' }); // [B, T, V]
}

function apply(layer: tfl.layers.Layer, inputs: tfl.SymbolicTensor | tfl.SymbolicTensor[]): tfl.SymbolicTensor {
  return layer.apply(inputs) as tfl.SymbolicTensor;
}

function checkConfig(config: T5Config): void {
  if (typeof config !== 'object' || config === null)
    throw new IlrecError(`t5: config must be an object with vocabSize, got ${String(config)}`);
  const unknown = Object.keys(config).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw new IlrecError(`t5: fields must be among ${FIELDS.join(', ')}, got ${unknown}`);
  const { vocabSize, hiddenSize = 1, headDim = 1, intermediateSize = 1, numHiddenLayers = 1 } = config;
  const { numDecoderLayers = 1, numAttentionHeads = 1, dropout = 0 } = config;
  const sizes = { vocabSize, hiddenSize, headDim, intermediateSize, numHiddenLayers, numDecoderLayers };
  for (const [name, value] of Object.entries({ ...sizes, numAttentionHeads })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`t5: ${name} must be a positive integer, got ${value}`);
  }
  const { relativeAttentionNumBuckets: buckets = 32, relativeAttentionMaxDistance: distance = 128 } = config;
  if (!(Number.isInteger(buckets) && buckets >= 4 && buckets % 2 === 0))
    throw new IlrecError(`t5: relativeAttentionNumBuckets must be an even integer of at least 4, got ${buckets}`);
  if (!(Number.isInteger(distance) && distance > buckets / 2))
    throw new IlrecError(
      `t5: relativeAttentionMaxDistance must be an integer above ${buckets / 2}, half of the buckets, got ${distance}`,
    );
  if (!(dropout >= 0 && dropout < 1)) throw new IlrecError(`t5: dropout must be in [0, 1), got ${dropout}`);
}
