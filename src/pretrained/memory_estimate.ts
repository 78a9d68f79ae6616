import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { type DecoderSizes, sizesOfConfig, sizesOfModel, type WeightSize } from './decoder_sizes';

/** Low-rank adapters as memory sees them. */
export interface LoraSize {
  /** r */
  readonly rank: number;
  /** Weights with an adapter: ends of their paths `layer/weight`, or patterns. */
  readonly targets: readonly (string | RegExp)[];
  /** Weights that are trained as a whole beside the adapters, named alike. Default none. */
  readonly trainModules?: readonly (string | RegExp)[];
}

export interface MemoryRequest {
  /** config.json of a checkpoint; or give `model`. */
  readonly config?: HuggingFaceConfig;
  /** A model of `causalLM` or `loadPretrained`. */
  readonly model?: tfl.LayersModel;
  readonly mode: 'inference' | 'training';
  /** B. Default 0: the weights alone. */
  readonly batchSize?: number;
  /** T. Default 0. */
  readonly sequenceLength?: number;
  /** P, response positions of a batch. Default B * T. */
  readonly responsePositions?: number;
  /** k; 0 for plain cross-entropy. Default 4. */
  readonly numNegativeLayers?: number;
  /** Default none: all weights train. */
  readonly lora?: LoraSize;
  /** Default false. */
  readonly gradientCheckpointing?: boolean;
  /** Default 'adam'. */
  readonly optimizer?: 'adam' | 'adamw' | 'sgd';
}

/** Bytes of each part; all values are float32. */
export interface MemoryEstimate {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  /** What the blocks keep for the backward pass and make in it; at inference what one block needs at a time. */
  readonly activations: number;
  /** Logits and what the loss makes of them. */
  readonly loss: number;
  readonly total: number;
  /** The largest tensor among them. */
  readonly largestTensor: number;
}

const BYTES = 4;

/**
 * Numbers that a training step holds per block at its peak, fitted by `bench/memory_coefficients.mts` to what the engine holds over shapes of every
 * kind: tfjs keeps the inputs of most ops and every gradient until the step ends. Per value of [B, T, D], of queries [B, T, H * F], of keys [B, T, K * F],
 * of the MLP [B, T, I], of scores [B, H, T, T] and of the mask [T, T]; `joined` per number of the kernels that are joined into one product.
 */
const TRAINING = {
  llama: { hidden: 24, queries: 13.3, keys: 12, inner: 15, scores: 5, mask: 1.2, joined: 2.2 },
  gpt2: { hidden: 54, queries: 0, keys: 0, inner: 21, scores: 5, mask: 1, joined: 0 },
  headNorms: { queries: 12.2, keys: 13.2 },
  dropout: { hidden: 6, scores: 3 },
};

/** The same for a forward pass, in which only one block's values exist: at its attention, and at its MLP. */
const INFERENCE = {
  llama: [{ hidden: 2, queries: 7, keys: 7.5, inner: 0, scores: 3, mask: 1 }, { hidden: 7, queries: 7.4, keys: 8.1, inner: 7, scores: 0, mask: 1.6 }],
  gpt2: [{ hidden: 13, queries: 0, keys: 0, inner: 0, scores: 3, mask: 1 }, { hidden: 17, queries: 0, keys: 0, inner: 10, scores: 0, mask: 1 }],
};

/** Values that an adapter adds in a block: of [B, T, in], of [B, T, r] and of [B, T, out]. */
const LORA = { inputs: 2, rank: 2, outputs: 4.3 };
/** Values of [P, V] in the loss: of plain cross-entropy, of ILRec's terms, and for each layer of S. */
const LOSS = { crossEntropy: 3, ilrec: 23.5, perLayer: 3.3 };
/** Copies of the head's gradient [V, D] that exist beside the gradient itself; a tied embedding adds two of them up. */
const HEAD_COPIES = { tied: 3.5, untied: 2 };
/** Values of [B, T, D] that a checkpointed block keeps: its input and that input's gradient. */
const CHECKPOINTED = 2;

/**
 * Estimates the peak memory of a model of this package, within about a quarter of what a step holds. What a backend's kernels take for themselves
 * while they run is not in it.
 *
 * @throws IlrecError when neither config nor model is given, a number is negative, or a LoRA target matches no weight.
 */
export function estimateMemory(request: MemoryRequest): MemoryEstimate {
  const { config, model, mode, batchSize = 0, sequenceLength = 0, lora, gradientCheckpointing = false, optimizer = 'adam', numNegativeLayers = 4 } = request;
  const { responsePositions = batchSize * sequenceLength } = request;
  for (const [name, value] of Object.entries({ batchSize, sequenceLength, responsePositions, numNegativeLayers })) {
    if (!(Number.isInteger(value) && value >= 0)) throw new IlrecError(`estimateMemory: ${name} must be an integer of 0 or more, got ${value}`);
  }
  const sizes = model !== undefined ? sizesOfModel(model) : config !== undefined ? sizesOfConfig(config) : undefined;
  if (sizes === undefined) throw new IlrecError('estimateMemory: config or model must be given, got neither; pass config.json of the checkpoint');

  const numbers = numbersOf(sizes.weights);
  const adapters = lora === undefined ? 0 : adapterNumbers(sizes, lora);
  const trained = lora === undefined ? numbers : adapters + numbersOf(matching(sizes, lora.trainModules ?? [], 'trainModules'));
  const rows = batchSize * sequenceLength; // N
  const training = mode === 'training';
  const perBlock = training ? trainedBlock(sizes, batchSize, sequenceLength) : inferenceBlock(sizes, batchSize, sequenceLength);
  const activations = !training
    ? perBlock
    : gradientCheckpointing
      ? sizes.numLayers * CHECKPOINTED * rows * sizes.hiddenSize + perBlock
      : sizes.numLayers * perBlock;
  const loraActivations = training && lora !== undefined ? adapterActivations(sizes, lora, rows) * (gradientCheckpointing ? 1 / sizes.numLayers : 1) : 0;
  const headTrains = lora === undefined;
  const perLogit = numNegativeLayers === 0 ? LOSS.crossEntropy : LOSS.ilrec + LOSS.perLayer * Math.min(numNegativeLayers, sizes.numLayers - 1);
  const loss = training
    ? perLogit * responsePositions * sizes.vocabSize + (headTrains && rows > 0 ? HEAD_COPIES[sizes.isTied ? 'tied' : 'untied'] * sizes.vocabSize * sizes.hiddenSize : 0)
    : 2 * rows * sizes.vocabSize;

  const parts = {
    weights: BYTES * (numbers + adapters),
    gradients: training ? BYTES * trained : 0,
    optimizer: training && optimizer !== 'sgd' ? 2 * BYTES * trained : 0,
    activations: BYTES * Math.round(activations + loraActivations),
    loss: BYTES * Math.round(loss),
  };
  const largest = Math.max(0, ...sizes.weights.map(({ size }) => size), (training ? responsePositions : rows) * sizes.vocabSize, batchSize * sizes.numHeads * sequenceLength ** 2);
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0), largestTensor: BYTES * largest };
}

function trainedBlock(sizes: DecoderSizes, batchSize: number, sequenceLength: number): number {
  const { hiddenSize, queries, keys, intermediateSize, numHeads } = sizes;
  const c = TRAINING[sizes.isGpt2 ? 'gpt2' : 'llama'];
  const norms = sizes.normsHeads ? TRAINING.headNorms : { queries: 0, keys: 0 };
  const dropout = sizes.hasDropout ? TRAINING.dropout : { hidden: 0, scores: 0 };
  const rows = batchSize * sequenceLength;
  const perRow = (c.hidden + dropout.hidden) * hiddenSize + (c.queries + norms.queries) * queries + (c.keys + norms.keys) * keys + c.inner * intermediateSize;
  const scores = (c.scores + dropout.scores) * rows * numHeads * sequenceLength + c.mask * sequenceLength ** 2;
  return rows * perRow + scores + (rows > 0 ? c.joined * (hiddenSize * (queries + 2 * keys) + 2 * hiddenSize * intermediateSize) : 0);
}

function inferenceBlock({ isGpt2, hiddenSize, queries, keys, intermediateSize, numHeads }: DecoderSizes, batchSize: number, sequenceLength: number): number {
  const rows = batchSize * sequenceLength;
  const stages = INFERENCE[isGpt2 ? 'gpt2' : 'llama'].map(
    (c) => rows * (c.hidden * hiddenSize + c.queries * queries + c.keys * keys + c.inner * intermediateSize + c.scores * numHeads * sequenceLength) + c.mask * sequenceLength ** 2,
  );
  return Math.max(...stages);
}

/** r * (in + out) over the targets. */
function adapterNumbers(sizes: DecoderSizes, { rank, targets }: LoraSize): number {
  if (!(Number.isInteger(rank) && rank >= 1)) throw new IlrecError(`estimateMemory: rank must be a positive integer, got ${rank}`);
  return matching(sizes, targets, 'targets').reduce((sum, { shape }) => sum + rank * (shape[0] + shape[1]), 0);
}

/** What the adapters' products add. */
function adapterActivations(sizes: DecoderSizes, { rank, targets }: LoraSize, rows: number): number {
  return matching(sizes, targets, 'targets').reduce((sum, { shape: [inputs, outputs] }) => sum + rows * (LORA.inputs * inputs + LORA.rank * rank + LORA.outputs * outputs), 0);
}

function matching(sizes: DecoderSizes, selectors: readonly (string | RegExp)[], option: string): WeightSize[] {
  for (const selector of selectors) {
    if (!sizes.weights.some((weight) => matches(weight, selector))) {
      throw new IlrecError(`estimateMemory: ${option} must match weights of the model, got none for ${String(selector)}; it has ${sizes.weights.map(({ path }) => path).join(', ')}`);
    }
  }
  return sizes.weights.filter((weight) => weight.shape.length === 2 && selectors.some((selector) => matches(weight, selector)));
}

function matches({ path }: WeightSize, selector: string | RegExp): boolean {
  return typeof selector === 'string' ? path === selector || path.endsWith(`/${selector}`) || path.startsWith(`${selector}/`) : selector.test(path);
}

function numbersOf(weights: readonly WeightSize[]): number {
  return weights.reduce((sum, { size }) => sum + size, 0);
}
