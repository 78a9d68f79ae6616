import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import { MAX_JOINED_VALUES } from '../layers/projection';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { adapterStepValues, adapterValues, type LoraSize, matchingWeights } from './adapter_sizes';
import { type DecoderSizes, sizesOfConfig, sizesOfModel } from './decoder_sizes';
import { logitsWidth, type LossSizes, lossSizes, lossValues } from './loss_memory';
import {
  type BlockCoefficients,
  CHECKPOINTED,
  DROPOUT,
  type MemoryCoefficients,
  memoryCoefficients,
} from './memory_coefficients';

export type { LoraSize } from './adapter_sizes';

/** A model and the sizes of a step, for `estimateMemory`. */
export interface MemoryRequest {
  /** Content of a checkpoint's config.json. Give it or `model`. */
  readonly config?: HuggingFaceConfig;
  /** A model of `causalLM`, `gpt2` or `loadPretrained`. */
  readonly model?: tfl.LayersModel;
  readonly mode: 'inference' | 'training';
  /** B. Default 0: the weights alone. */
  readonly batchSize?: number;
  /** T. Default 0. */
  readonly sequenceLength?: number;
  /** P, response positions of a batch. Default B * T. */
  readonly responsePositions?: number;
  /** k, the layers in ILRec's loss; 0 for plain cross-entropy. Default 4. */
  readonly numNegativeLayers?: number;
  /** Adapters. Default none: all weights train. */
  readonly lora?: LoraSize;
  /** Whether blocks recompute their activations in the backward pass. Default false. */
  readonly gradientCheckpointing?: boolean;
  /** Default 'adam'. */
  readonly optimizer?: 'adam' | 'adamw' | 'sgd';
}

/** Memory in bytes; all values are float32. */
export interface MemoryEstimate {
  readonly weights: number;
  readonly gradients: number;
  /** The optimizer's moments. */
  readonly optimizer: number;
  /**
   * In training: what the blocks keep for the backward pass and create in it. In inference: the working memory of one
   * block.
   */
  readonly activations: number;
  /** Logits and what the loss computes from them. For a vocabulary read in tiles: the tiles and the head's gradient. */
  readonly loss: number;
  /** Sum of all parts. */
  readonly total: number;
  /** The largest single tensor. */
  readonly largestTensor: number;
}

const BYTES = 4;

/**
 * Estimates the peak memory of a model of this package on the current backend. It is within about a quarter of what the
 * tensors of a step take. Not included are JavaScript's own heap and temporary memory inside kernels.
 *
 * @param request model or config, and the sizes of a step.
 * @param caller the function that error messages name. Default 'estimateMemory'.
 * @returns bytes of each part, the total and the largest tensor.
 * @throws IlrecError when neither config nor model is given, the model has other blocks, the config is not supported, a
 * size is not an integer of 0 or more, or a LoRA target matches no weight.
 * @example
 * ```ts
 * import { causalLM, estimateMemory } from 'tfjs-ilrec';
 *
 * const model = causalLM({ vocabSize: 100, hiddenSize: 8, numHiddenLayers: 2 });
 * const { weights, gradients, optimizer } = estimateMemory({ model, mode: 'training' });
 * console.log(weights === 4 * model.countParams(), gradients === weights, optimizer === 2 * weights); // true true true
 * ```
 */
export function estimateMemory(request: MemoryRequest, caller = 'estimateMemory'): MemoryEstimate {
  const {
    config,
    model,
    mode,
    batchSize = 0,
    sequenceLength = 0,
    lora,
    optimizer = 'adam',
    numNegativeLayers = 4,
  } = request ?? {};
  const { responsePositions = batchSize * sequenceLength } = request ?? {};
  for (const [name, value] of Object.entries({ batchSize, sequenceLength, responsePositions, numNegativeLayers })) {
    if (!(Number.isInteger(value) && value >= 0))
      throw new IlrecError(`${caller}: ${name} must be an integer of 0 or more, got ${value}`);
  }
  const sizes =
    model !== undefined
      ? sizesOfModel(model, caller)
      : config !== undefined
        ? sizesOfConfig(config, caller)
        : undefined;
  if (sizes === undefined)
    throw new IlrecError(`${caller}: config or model must be given, got neither; pass config.json of the checkpoint`);

  const coefficients = memoryCoefficients();
  const numWeights = valuesOf(sizes.weights);
  const numAdapters = lora === undefined ? 0 : adapterValues(sizes, lora, caller);
  const numTrained =
    lora === undefined
      ? numWeights
      : numAdapters + valuesOf(matchingWeights(sizes.weights, lora.trainModules ?? [], 'trainModules', caller));
  const rows = batchSize * sequenceLength;
  const training = mode === 'training';
  const lossSize = lossSizes(sizes, { positions: responsePositions, numNegativeLayers, lora }, caller);
  const { activations, loss } = training
    ? trainingValues(sizes, request, lossSize, numTrained, coefficients, caller)
    : predictionValues(sizes, batchSize, sequenceLength, coefficients);

  const parts = {
    weights: BYTES * (numWeights + numAdapters),
    gradients: training ? BYTES * numTrained : 0,
    optimizer: training && optimizer !== 'sgd' ? 2 * BYTES * numTrained : 0,
    activations: BYTES * Math.round(activations),
    loss: BYTES * Math.round(loss),
  };
  const logits = training
    ? (lossSize.isStreamed ? lossSize.rows : responsePositions) * logitsWidth(sizes, lossSize)
    : rows * sizes.vocabSize;
  const largest = Math.max(
    0,
    ...sizes.weights.map(({ size }) => size),
    logits,
    batchSize * sizes.numHeads * sequenceLength ** 2,
  );
  return {
    ...parts,
    total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
    largestTensor: BYTES * largest,
  };
}

interface BlocksAndLoss {
  readonly activations: number;
  readonly loss: number;
}

/** A forward pass, in which the values of only one block exist. */
function predictionValues(
  sizes: DecoderSizes,
  batchSize: number,
  sequenceLength: number,
  { inference }: MemoryCoefficients,
): BlocksAndLoss {
  const stages = inference[sizes.isGpt2 ? 'gpt2' : 'llama'].map((stage) =>
    blockValues(stage, sizes, batchSize, sequenceLength),
  );
  return { activations: Math.max(...stages), loss: 2 * batchSize * sequenceLength * sizes.vocabSize };
}

/** Values of blocks and loss at the peak of a step, beside the gradients of `numTrained` values. */
function trainingValues(
  sizes: DecoderSizes,
  { batchSize = 0, sequenceLength = 0, lora, gradientCheckpointing = false }: MemoryRequest,
  lossSize: LossSizes,
  numTrained: number,
  c: MemoryCoefficients,
  caller: string,
): BlocksAndLoss {
  const { numLayers, hiddenSize } = sizes;
  const rows = batchSize * sequenceLength;
  const base = c[sizes.isGpt2 ? 'gpt2' : 'llama'];
  const norms = sizes.normsHeads ? c.headNorms : { queries: 0, keys: 0 };
  const dropout = sizes.hasDropout ? DROPOUT : { hidden: 0, scores: 0 };
  const block = {
    ...base,
    hidden: base.hidden + dropout.hidden,
    queries: base.queries + norms.queries,
    keys: base.keys + norms.keys,
    scores: base.scores + dropout.scores,
  };
  const adapters = lora === undefined ? 0 : adapterStepValues(sizes, lora, rows, c, caller);
  const perBlock = blockValues(block, sizes, batchSize, sequenceLength) + adapters / numLayers;
  const checkpoints = numLayers * CHECKPOINTED * rows * hiddenSize;
  const activations = gradientCheckpointing ? checkpoints + perBlock : numLayers * perBlock;
  const atLoss = gradientCheckpointing ? checkpoints / 2 : c.forwardShare * activations; // before any gradient
  const { whileMade, atEnd } = lossValues(sizes, lossSize, c);
  return { activations, loss: Math.max(atEnd, whileMade + atLoss - activations - numTrained) };
}

function blockValues(
  c: BlockCoefficients,
  { isGpt2, hiddenSize, queries, keys, intermediateSize, numHeads }: DecoderSizes,
  batchSize: number,
  sequenceLength: number,
): number {
  const rows = batchSize * sequenceLength;
  if (rows === 0) return 0;
  const joinable = isGpt2
    ? []
    : [
        { inputs: hiddenSize, outputs: queries + 2 * keys },
        { inputs: hiddenSize, outputs: 2 * intermediateSize },
      ];
  const isJoined = ({ inputs, outputs }: { inputs: number; outputs: number }): boolean =>
    inputs * outputs <= MAX_JOINED_VALUES;
  const joined = joinable.filter(isJoined).reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);
  const separate = joinable
    .filter((product) => !isJoined(product))
    .reduce((sum, { outputs }) => sum + rows * outputs, 0);
  const kernels = hiddenSize * (2 * queries + 2 * keys + (isGpt2 ? 2 : 3) * intermediateSize);
  const values =
    rows *
    (c.hidden * hiddenSize +
      c.queries * queries +
      c.keys * keys +
      c.inner * intermediateSize +
      c.scores * numHeads * sequenceLength);
  return values + c.mask * sequenceLength ** 2 + c.joined * joined + c.separate * separate + c.kernels * kernels;
}

function valuesOf(weights: readonly { readonly size: number }[]): number {
  return weights.reduce((sum, { size }) => sum + size, 0);
}
