import * as tfl from '@tensorflow/tfjs-layers';
import '../register'; // in a bundle nothing else does
import { IlrecError } from '../errors';
import {
  DecoderBlock,
  Dropout,
  ItemEmbedding,
  type ItemEmbeddingArgs,
  LMHead,
  RMSNorm,
  TokenEmbedding,
} from '../layers';
import type { ActivationName } from '../ops/activations';
import { mixSeeds } from '../ops/dropout';
import type { RopeScaling } from '../ops/rotary_frequencies';

/** Sizes and settings of a decoder, in the field names of Hugging Face's configs. */
export interface CausalLMConfig {
  /** V, number of token ids. */
  vocabSize: number;
  /** D, width of the residual stream. Default 128. */
  hiddenSize?: number;
  /** I, width of the gated MLP. Default 8 * ceil(D / 3). */
  intermediateSize?: number;
  /** L, number of blocks. Default 4. */
  numHiddenLayers?: number;
  /** H, query heads. Default 4. */
  numAttentionHeads?: number;
  /** K, key-value heads; divides H. Default H. */
  numKeyValueHeads?: number;
  /** F, features of a head, even. Default D / H. */
  headDim?: number;
  /** Base of the rotary wavelengths. Default 10000. */
  ropeTheta?: number;
  /** Rescaling of the rotary wavelengths. Default none. */
  ropeScaling?: RopeScaling | null;
  /** Number of positions that a query sees, itself included, in the layers with a sliding window. Default all. */
  slidingWindow?: number | null;
  /** Whether each layer uses the sliding window, [L]. Default all, if slidingWindow is set. */
  layerTypes?: readonly ('full_attention' | 'sliding_attention')[];
  /** Whether queries and keys are normalised per head. Default false. */
  qkNorm?: boolean;
  /** Whether queries, keys and values have biases. Default false. */
  qkvBias?: boolean;
  /** Whether the attention's output projection has a bias. Default false. */
  outputBias?: boolean;
  /** Whether the MLP's projections have biases. Default false. */
  mlpBias?: boolean;
  /** The gate's activation. Default 'silu'. */
  hiddenAct?: ActivationName;
  /** Added to the mean square by the norms. Default 1e-6. */
  rmsNormEps?: number;
  /** Whether the head shares the embedding's weights. Default true. */
  tieWordEmbeddings?: boolean;
  /** Dropout of the attention probabilities, in [0, 1). Default 0. */
  attentionDropout?: number;
  /** Dropout of each branch before it is added to the residual stream, in [0, 1). Default 0. */
  hiddenDropout?: number;
  /** Dropout of the embedded tokens, in [0, 1). Default 0. */
  embeddingDropout?: number;
  /**
   * Set, the tokens are the items themselves: token i is item i, V is the number of items, and the token V begins a
   * history. Each item is a sum of rows that similar items share; see `ItemEmbedding`. The head is tied.
   */
  items?: Pick<ItemEmbeddingArgs, 'codes' | 'nodeDepths' | 'inputScale' | 'useRepeatBias'>;
  /** Token that is masked out in attention. Default none: padding on the right needs no mask under causal attention. */
  padTokenId?: number;
  /** Standard deviation of the initial weights, 0 for zeros. Default 0.02. */
  initializerRange?: number;
  /** Seed of weights and dropout. Default 0. */
  seed?: number;
}

const FIELDS: readonly string[] = [
  'vocabSize',
  'hiddenSize',
  'intermediateSize',
  'numHiddenLayers',
  'numAttentionHeads',
  'numKeyValueHeads',
  'headDim',
  'ropeTheta',
  'ropeScaling',
  'slidingWindow',
  'layerTypes',
  'qkNorm',
  'qkvBias',
  'outputBias',
  'mlpBias',
  'hiddenAct',
  'rmsNormEps',
  'tieWordEmbeddings',
  'attentionDropout',
  'hiddenDropout',
  'embeddingDropout',
  'items',
  'padTokenId',
  'initializerRange',
  'seed',
] satisfies (keyof CausalLMConfig)[];

/**
 * Builds a Llama-style causal language model as a functional `tf.LayersModel`: token ids int32 [B, T] to logits
 * [B, T, V].
 *
 * @param config sizes and settings; only `vocabSize` is required.
 * @returns the model, with random weights.
 * @throws IlrecError when a field is unknown, a size is not a positive integer, heads do not divide, a dropout is
 * outside [0, 1), `layerTypes` does not have one entry per layer, or `items` is set without a tied head or with
 * `padTokenId`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2 });
 * const logits = model.predict(tf.tensor2d([[1, 5, 9]], [1, 3], 'int32')) as tf.Tensor;
 * console.log(logits.shape); // [ 1, 3, 100 ]
 * ```
 */
export function causalLM(config: CausalLMConfig): tfl.LayersModel {
  if (typeof config !== 'object' || config === null)
    throw new IlrecError(`causalLM: config must be an object with vocabSize, got ${String(config)}`);
  const unknown = Object.keys(config).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined)
    throw new IlrecError(`causalLM: fields must be among ${FIELDS.join(', ')}, got ${unknown}`);
  checkSizes(config);
  checkRates(config);
  const { vocabSize, headDim, padTokenId, items, tieWordEmbeddings = true, embeddingDropout = 0 } = config;
  if (items !== undefined && !tieWordEmbeddings)
    throw new IlrecError('causalLM: tieWordEmbeddings must be true with items, got false; leave it out');
  if (items !== undefined && padTokenId !== undefined)
    throw new IlrecError(`causalLM: items need no padTokenId, got ${padTokenId}; leave it out`);
  const { hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads } = defaultSizes(config);
  const { attentionDropout = 0, hiddenDropout = 0, ropeTheta = 10000, ropeScaling, rmsNormEps = 1e-6 } = config;
  const { slidingWindow = null, layerTypes, qkNorm, qkvBias, outputBias, mlpBias, hiddenAct } = config;
  const { initializerRange = 0.02, seed = 0 } = config;
  if (layerTypes !== undefined && layerTypes.length !== numHiddenLayers) {
    throw new IlrecError(
      `causalLM: layerTypes must have one entry for each of the ${numHiddenLayers} layers, got ${layerTypes.length}`,
    );
  }

  if (items !== undefined && !tieWordEmbeddings)
    throw new IlrecError('causalLM: tieWordEmbeddings must be true with items, got false; leave it out');

  const inputIds = tfl.input({ shape: [null], dtype: 'int32', name: 'input_ids' }); // [B, T]
  const rows = { name: 'embed_tokens', hiddenSize, initializerRange, seed: mixSeeds(seed, 1) };
  const embedding =
    items === undefined
      ? new TokenEmbedding({ ...rows, vocabSize, padTokenId })
      : new ItemEmbedding({ ...rows, ...items, numItems: vocabSize });
  let hidden = embedding.apply(inputIds) as tfl.SymbolicTensor; // [B, T, D]
  if (embeddingDropout > 0) {
    hidden = new Dropout({ name: 'embed_dropout', rate: embeddingDropout, seed: mixSeeds(seed, 2) }).apply(
      hidden,
    ) as tfl.SymbolicTensor;
  }
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const block = new DecoderBlock({
      name: `layers_${layer}`,
      numAttentionHeads,
      numKeyValueHeads,
      headDim,
      intermediateSize,
      ropeTheta,
      ropeScaling,
      slidingWindow: layerTypes?.[layer] === 'full_attention' ? null : slidingWindow,
      qkNorm,
      qkvBias,
      outputBias,
      mlpBias,
      hiddenAct,
      rmsNormEps,
      attentionDropout,
      hiddenDropout,
      initializerRange,
      seed: mixSeeds(seed, 3, layer),
    });
    hidden = block.apply(hidden) as tfl.SymbolicTensor; // [B, T, D]
  }
  const normed = new RMSNorm({ name: 'norm', epsilon: rmsNormEps }).apply(hidden); // [B, T, D]
  const head = tieWordEmbeddings
    ? embedding
    : new LMHead({ name: 'lm_head', vocabSize, initializerRange, seed: mixSeeds(seed, 4) });
  const logits = head.apply(normed) as tfl.SymbolicTensor; // [B, T, V]
  return tfl.model({ inputs: inputIds, outputs: logits, name: 'causal_lm' });
}

/** The sizes of a config, with defaults. */
export function defaultSizes(
  config: CausalLMConfig,
): Required<
  Pick<
    CausalLMConfig,
    'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads' | 'numKeyValueHeads' | 'headDim'
  >
> {
  const { hiddenSize = 128, numHiddenLayers = 4, numAttentionHeads = 4 } = config;
  const {
    intermediateSize = 8 * Math.ceil(hiddenSize / 3),
    numKeyValueHeads = numAttentionHeads,
    headDim = hiddenSize / numAttentionHeads,
  } = config;
  return { hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim };
}

/** @throws IlrecError when a size is not a positive integer, or heads do not divide. */
export function checkSizes(config: CausalLMConfig): void {
  const { headDim, ...sizes } = defaultSizes(config);
  const { hiddenSize, numAttentionHeads, numKeyValueHeads } = sizes;
  for (const [name, value] of Object.entries({ vocabSize: config.vocabSize, ...sizes })) {
    if (!Number.isInteger(value) || value < 1)
      throw new IlrecError(`causalLM: ${name} must be a positive integer, got ${value}`);
  }
  if (numAttentionHeads % numKeyValueHeads !== 0) {
    throw new IlrecError(
      `causalLM: numKeyValueHeads must divide numAttentionHeads, got ${numKeyValueHeads} and ${numAttentionHeads}`,
    );
  }
  if (config.headDim === undefined && hiddenSize % (2 * numAttentionHeads) !== 0) {
    throw new IlrecError(
      `causalLM: hiddenSize / numAttentionHeads must be even, got ${hiddenSize} / ${numAttentionHeads}; set ` +
        'headDim or change one of them',
    );
  }
  if (config.headDim !== undefined && !(Number.isInteger(headDim) && headDim >= 2 && headDim % 2 === 0))
    throw new IlrecError(`causalLM: headDim must be a positive even integer, got ${headDim}`);
}

function checkRates({ attentionDropout = 0, hiddenDropout = 0, embeddingDropout = 0 }: CausalLMConfig): void {
  for (const [name, rate] of Object.entries({ attentionDropout, hiddenDropout, embeddingDropout })) {
    if (!(rate >= 0 && rate < 1)) throw new IlrecError(`causalLM: ${name} must be in [0, 1), got ${rate}`);
  }
}
