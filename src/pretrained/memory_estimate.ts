import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { type BlockCoefficients, CHECKPOINTED, DROPOUT, INFERENCE, type TrainingCoefficients, trainingCoefficients } from './memory_coefficients';
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
/** Kernels of up to this many numbers are joined into one product, see src/layers/projection.ts. */
const JOINED_UP_TO = 2 ** 18;
const HEAD = 'lm_head/weight';

/**
 * Estimates the peak memory of a model of this package on the backend in use, within about a quarter of what tensors a step holds. What kernels take for
 * themselves while they run, and JavaScript's own heap, are not in it.
 *
 * @throws IlrecError when neither config nor model is given, a number is negative, or a LoRA target matches no weight.
 */
export function estimateMemory(request: MemoryRequest): MemoryEstimate {
  const { config, model, mode, batchSize = 0, sequenceLength = 0, lora, optimizer = 'adam', numNegativeLayers = 4 } = request;
  const { responsePositions = batchSize * sequenceLength } = request;
  for (const [name, value] of Object.entries({ batchSize, sequenceLength, responsePositions, numNegativeLayers })) {
    if (!(Number.isInteger(value) && value >= 0)) throw new IlrecError(`estimateMemory: ${name} must be an integer of 0 or more, got ${value}`);
  }
  const sizes = model !== undefined ? sizesOfModel(model) : config !== undefined ? sizesOfConfig(config) : undefined;
  if (sizes === undefined) throw new IlrecError('estimateMemory: config or model must be given, got neither; pass config.json of the checkpoint');

  const numbers = numbersOf(sizes.weights);
  const adapters = lora === undefined ? 0 : adapterNumbers(sizes, lora);
  const trained = lora === undefined ? numbers : adapters + numbersOf(matching(sizes.weights, lora.trainModules ?? [], 'trainModules'));
  const rows = batchSize * sequenceLength; // N
  const { activations, loss } =
    mode === 'inference'
      ? { activations: Math.max(...INFERENCE[sizes.isGpt2 ? 'gpt2' : 'llama'].map((stage) => blockNumbers(stage, sizes, batchSize, sequenceLength))), loss: 2 * rows * sizes.vocabSize }
      : trainingNumbers(sizes, request, trainingCoefficients());
  const training = mode === 'training';

  const parts = {
    weights: BYTES * (numbers + adapters),
    gradients: training ? BYTES * trained : 0,
    optimizer: training && optimizer !== 'sgd' ? 2 * BYTES * trained : 0,
    activations: BYTES * Math.round(activations),
    loss: BYTES * Math.round(loss),
  };
  const largest = Math.max(0, ...sizes.weights.map(({ size }) => size), (training ? responsePositions : rows) * sizes.vocabSize, batchSize * sizes.numHeads * sequenceLength ** 2);
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0), largestTensor: BYTES * largest };
}

/** Numbers that blocks and loss hold at the peak of a step. */
function trainingNumbers(sizes: DecoderSizes, request: MemoryRequest, c: TrainingCoefficients): { activations: number; loss: number } {
  const { batchSize = 0, sequenceLength = 0, lora, gradientCheckpointing = false, numNegativeLayers = 4 } = request;
  const { responsePositions = batchSize * sequenceLength } = request;
  const { numLayers, vocabSize, hiddenSize } = sizes;
  const rows = batchSize * sequenceLength;
  const base = c[sizes.isGpt2 ? 'gpt2' : 'llama'];
  const norms = sizes.normsHeads ? c.headNorms : { queries: 0, keys: 0 };
  const dropout = sizes.hasDropout ? DROPOUT : { hidden: 0, scores: 0 };
  const block = { ...base, hidden: base.hidden + dropout.hidden, queries: base.queries + norms.queries, keys: base.keys + norms.keys, scores: base.scores + dropout.scores };
  const adapters = lora === undefined ? 0 : blockAdapterValues(sizes, lora, rows, c);
  const perBlock = blockNumbers(block, sizes, batchSize, sequenceLength) + adapters / numLayers;
  const activations = gradientCheckpointing ? numLayers * CHECKPOINTED * rows * hiddenSize + perBlock : numLayers * perBlock;

  const tapped = Math.min(numNegativeLayers, numLayers - 1);
  const perLogit = numNegativeLayers === 0 ? c.loss.crossEntropy : c.loss.ilrec + c.loss.perLayer * tapped;
  const headCopies = lora === undefined && rows > 0 ? c.headCopies[sizes.isTied ? 'tied' : 'untied'] : 0; // a frozen head has no gradient
  const headAdapter = lora === undefined ? 0 : headAdapterValues(sizes, lora, responsePositions * (1 + tapped), c);
  return { activations, loss: perLogit * responsePositions * vocabSize + headCopies * vocabSize * hiddenSize + headAdapter };
}

function blockNumbers(c: BlockCoefficients, { isGpt2, hiddenSize, queries, keys, intermediateSize, numHeads }: DecoderSizes, batchSize: number, sequenceLength: number): number {
  const rows = batchSize * sequenceLength;
  if (rows === 0) return 0;
  const joinable = isGpt2 ? [] : [{ inputs: hiddenSize, outputs: queries + 2 * keys }, { inputs: hiddenSize, outputs: 2 * intermediateSize }];
  const isJoined = ({ inputs, outputs }: { inputs: number; outputs: number }): boolean => inputs * outputs <= JOINED_UP_TO;
  const joined = joinable.filter(isJoined).reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);
  const separate = joinable.filter((product) => !isJoined(product)).reduce((sum, { outputs }) => sum + rows * outputs, 0);
  const kernels = hiddenSize * (2 * queries + 2 * keys + (isGpt2 ? 2 : 3) * intermediateSize);
  const values = rows * (c.hidden * hiddenSize + c.queries * queries + c.keys * keys + c.inner * intermediateSize + c.scores * numHeads * sequenceLength);
  return values + c.mask * sequenceLength ** 2 + c.joined * joined + c.separate * separate + c.kernels * kernels;
}

/** r * (in + out) over the targets. */
function adapterNumbers(sizes: DecoderSizes, { rank, targets }: LoraSize): number {
  if (!(Number.isInteger(rank) && rank >= 1)) throw new IlrecError(`estimateMemory: rank must be a positive integer, got ${rank}`);
  return matrices(sizes, targets).reduce((sum, { shape }) => sum + rank * (shape[0] + shape[1]), 0);
}

/** What the adapters' products add inside of the blocks. */
function blockAdapterValues(sizes: DecoderSizes, { rank, targets }: LoraSize, rows: number, { lora }: TrainingCoefficients): number {
  const inBlocks = matrices(sizes, targets).filter(({ path }) => path !== HEAD);
  return inBlocks.reduce((sum, { shape: [inputs, outputs] }) => sum + rows * (lora.inputs * inputs + lora.rank * rank + lora.outputs * outputs), 0);
}

/** What an adapter on the head adds to the loss, which projects response rows alone. */
function headAdapterValues(sizes: DecoderSizes, { rank, targets }: LoraSize, rows: number, { lora }: TrainingCoefficients): number {
  if (!matrices(sizes, targets).some(({ path }) => path === HEAD)) return 0;
  return rows * (lora.inputs * sizes.hiddenSize + lora.rank * rank + lora.outputs * sizes.vocabSize);
}

/** The weights with an adapter; norms and biases that a pattern matches have none, a tied head has one beside the embedding. */
function matrices(sizes: DecoderSizes, targets: LoraSize['targets']): WeightSize[] {
  const { weights, isTied, vocabSize, hiddenSize } = sizes;
  const products = isTied ? [...weights, { path: HEAD, shape: [vocabSize, hiddenSize], size: vocabSize * hiddenSize }] : weights;
  return matching(products, targets, 'targets').filter(({ shape }) => shape.length === 2);
}

function matching(weights: readonly WeightSize[], selectors: readonly (string | RegExp)[], option: string): WeightSize[] {
  for (const selector of selectors) {
    if (!weights.some((weight) => matches(weight, selector))) {
      throw new IlrecError(`estimateMemory: ${option} must match weights of the model, got none for ${String(selector)}; it has ${weights.map(({ path }) => path).join(', ')}`);
    }
  }
  return weights.filter((weight) => selectors.some((selector) => matches(weight, selector)));
}

function matches({ path }: WeightSize, selector: string | RegExp): boolean {
  return typeof selector === 'string' ? path === selector || path.endsWith(`/${selector}`) || path.startsWith(`${selector}/`) : selector.test(path);
}

function numbersOf(weights: readonly WeightSize[]): number {
  return weights.reduce((sum, { size }) => sum + size, 0);
}
