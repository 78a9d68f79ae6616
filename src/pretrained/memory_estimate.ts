import type * as tfl from '@tensorflow/tfjs-layers';
import { IlrecError } from '../errors';
import type { HuggingFaceConfig } from '../models/hugging_face_config';
import { isStreamed, tileWidth } from '../vocabulary/vocabulary_tiles';
import { type DecoderSizes, sizesOfConfig, sizesOfModel, type WeightSize } from './decoder_sizes';
import {
  type BlockCoefficients,
  CHECKPOINTED,
  LOGITS_WHILE_MADE,
  DROPOUT,
  type LogitCoefficients,
  type MemoryCoefficients,
  memoryCoefficients,
} from './memory_coefficients';

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
  /** Logits and what the loss makes of them. Of a large vocabulary that is read tile by tile: what its tiles and the head's gradient take on top of the other parts. */
  readonly loss: number;
  readonly total: number;
  /** The largest tensor among them. */
  readonly largestTensor: number;
}

const BYTES = 4;
/** Kernels of up to this many numbers are joined into one product, see src/layers/projection.ts. */
const JOINED_UP_TO = 2 ** 18;
const HEAD = 'lm_head/weight';
/** Products that lie side by side in one tensor, see src/layers/decoder_block.ts. */
const SIDE_BY_SIDE = [/\/(q|k|v)_proj$/, /\/(gate|up)_proj$/];

/**
 * Estimates the peak memory of a model of this package on the backend in use, within about a quarter of what tensors a step holds. What kernels take for
 * themselves while they run, and JavaScript's own heap, are not in it.
 *
 * @throws IlrecError when neither config nor model is given, a number is negative, or a LoRA target matches no weight.
 */
export function estimateMemory(request: MemoryRequest): MemoryEstimate {
  const {
    config,
    model,
    mode,
    batchSize = 0,
    sequenceLength = 0,
    lora,
    optimizer = 'adam',
    numNegativeLayers = 4,
  } = request;
  const { responsePositions = batchSize * sequenceLength } = request;
  for (const [name, value] of Object.entries({ batchSize, sequenceLength, responsePositions, numNegativeLayers })) {
    if (!(Number.isInteger(value) && value >= 0))
      throw new IlrecError(`estimateMemory: ${name} must be an integer of 0 or more, got ${value}`);
  }
  const sizes = model !== undefined ? sizesOfModel(model) : config !== undefined ? sizesOfConfig(config) : undefined;
  if (sizes === undefined)
    throw new IlrecError(
      'estimateMemory: config or model must be given, got neither; pass config.json of the checkpoint',
    );

  const coefficients = memoryCoefficients();
  const numbers = numbersOf(sizes.weights);
  const adapters = lora === undefined ? 0 : adapterNumbers(sizes, lora);
  const trained =
    lora === undefined
      ? numbers
      : adapters + numbersOf(matching(sizes.weights, lora.trainModules ?? [], 'trainModules'));
  const rows = batchSize * sequenceLength; // N
  const training = mode === 'training';
  const vocabulary = lossSizes(sizes, request);
  const { activations, loss } = training
    ? trainingNumbers(sizes, request, vocabulary, trained, coefficients)
    : predictionNumbers(sizes, batchSize, sequenceLength, coefficients);

  const parts = {
    weights: BYTES * (numbers + adapters),
    gradients: training ? BYTES * trained : 0,
    optimizer: training && optimizer !== 'sgd' ? 2 * BYTES * trained : 0,
    activations: BYTES * Math.round(activations),
    loss: BYTES * Math.round(loss),
  };
  const logits = !training
    ? rows * sizes.vocabSize
    : vocabulary.isStreamed
      ? vocabulary.rows * tileWidth(vocabulary.rows, sizes.vocabSize, sizes.hiddenSize)
      : responsePositions * sizes.vocabSize;
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

/** What the loss projects onto the vocabulary, and how. */
interface LossSizes {
  /** P */
  readonly positions: number;
  /** Layers of S; without any the loss is plain cross-entropy. */
  readonly tapped: number;
  /** (1 + S) * P */
  readonly rows: number;
  readonly isCrossEntropy: boolean;
  readonly isStreamed: boolean;
  readonly adaptsHead: boolean;
  readonly trainsHead: boolean;
}

function lossSizes(
  sizes: DecoderSizes,
  {
    batchSize = 0,
    sequenceLength = 0,
    responsePositions: positions = batchSize * sequenceLength,
    numNegativeLayers = 4,
    lora,
  }: MemoryRequest,
): LossSizes {
  const tapped = Math.min(numNegativeLayers, sizes.numLayers - 1);
  const rows = (1 + tapped) * positions;
  const adaptsHead = lora !== undefined && matrices(sizes, lora.targets).some(({ path }) => path === HEAD);
  const head = sizes.isTied ? 'embed_tokens/weight' : HEAD;
  const trainsHead =
    lora === undefined ||
    matching(sizes.weights, lora.trainModules ?? [], 'trainModules').some(({ path }) => path === head);
  return {
    positions,
    tapped,
    rows,
    isCrossEntropy: tapped === 0,
    isStreamed: !adaptsHead && isStreamed(sizes.vocabSize, rows),
    adaptsHead,
    trainsHead,
  };
}

/** A forward pass, in which only one block's values exist. */
function predictionNumbers(
  sizes: DecoderSizes,
  batchSize: number,
  sequenceLength: number,
  { inference }: MemoryCoefficients,
): BlocksAndLoss {
  const stages = inference[sizes.isGpt2 ? 'gpt2' : 'llama'].map((stage) =>
    blockNumbers(stage, sizes, batchSize, sequenceLength),
  );
  return { activations: Math.max(...stages), loss: 2 * batchSize * sequenceLength * sizes.vocabSize };
}

interface BlocksAndLoss {
  readonly activations: number;
  readonly loss: number;
}

/** Numbers that blocks and loss hold at the peak of a step, beside the gradients of `trained` numbers. */
function trainingNumbers(
  sizes: DecoderSizes,
  request: MemoryRequest,
  vocabulary: LossSizes,
  trained: number,
  c: MemoryCoefficients,
): BlocksAndLoss {
  const { batchSize = 0, sequenceLength = 0, lora, gradientCheckpointing = false } = request;
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
  const adapters = lora === undefined ? 0 : blockAdapterValues(sizes, lora, rows, c);
  const perBlock = blockNumbers(block, sizes, batchSize, sequenceLength) + adapters / numLayers;
  const checkpoints = numLayers * CHECKPOINTED * rows * hiddenSize;
  const activations = gradientCheckpointing ? checkpoints + perBlock : numLayers * perBlock;
  const atLoss = gradientCheckpointing ? checkpoints / 2 : c.forwardShare * activations; // no gradient is there yet
  const { whileMade, atEnd } = vocabulary.isStreamed
    ? streamedNumbers(sizes, vocabulary, c)
    : denseNumbers(sizes, request, vocabulary, c);
  return { activations, loss: Math.max(atEnd, whileMade + atLoss - activations - trained) };
}

interface LossNumbers {
  /** While the loss and its gradient by the logits are made, when no other gradient is there. */
  readonly whileMade: number;
  /** When the step ends. */
  readonly atEnd: number;
}

/** What the loss holds where all logits are made at once. */
function denseNumbers(
  sizes: DecoderSizes,
  { lora }: MemoryRequest,
  { positions, tapped, rows, isCrossEntropy, adaptsHead, trainsHead }: LossSizes,
  c: MemoryCoefficients,
): LossNumbers {
  const { vocabSize, hiddenSize, isTied } = sizes;
  const copies = c.headCopies[isCrossEntropy ? 'crossEntropy' : 'ilrec'][isTied ? 'tied' : 'untied'];
  const adapter =
    lora !== undefined && adaptsHead
      ? rows * (c.lora.inputs * hiddenSize + c.lora.rank * lora.rank + c.lora.logits * vocabSize)
      : 0;
  const logits = positions * vocabSize;
  return {
    whileMade: perLogit(LOGITS_WHILE_MADE, isCrossEntropy, tapped) * logits,
    atEnd:
      perLogit(c.logits, isCrossEntropy, tapped) * logits +
      (trainsHead && rows > 0 ? copies * vocabSize * hiddenSize : 0) +
      adapter,
  };
}

/** What the loss holds where the vocabulary is read tile by tile. */
function streamedNumbers(
  sizes: DecoderSizes,
  { positions, tapped, rows, isCrossEntropy, trainsHead }: LossSizes,
  c: MemoryCoefficients,
): LossNumbers {
  const head = sizes.vocabSize * sizes.hiddenSize;
  const { read, again, gradient } = c.tiles;
  const tile = (tileRows: number, perPosition: number, perToken: number): number =>
    tileWidth(tileRows, sizes.vocabSize, sizes.hiddenSize) * (perPosition * positions + perToken * sizes.hiddenSize);
  const passes = [tile(rows, perLogit(read, isCrossEntropy, tapped), read.head)];
  if (!isCrossEntropy) passes.push(tile(2 * positions, again.perLogit, again.head));
  if (trainsHead) passes.push(head + tile(2 * rows, perLogit(gradient, isCrossEntropy, tapped), gradient.head));
  return {
    whileMade: Math.max(...passes),
    atEnd: trainsHead ? c.headCopies.streamed[sizes.isTied ? 'tied' : 'untied'] * head : 0,
  };
}

function perLogit(
  { crossEntropy, ilrec, perLayer }: LogitCoefficients,
  isCrossEntropy: boolean,
  tapped: number,
): number {
  return isCrossEntropy ? crossEntropy : ilrec + perLayer * tapped;
}

function blockNumbers(
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
    inputs * outputs <= JOINED_UP_TO;
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

/** r * (in + out) over the targets. */
function adapterNumbers(sizes: DecoderSizes, { rank, targets }: LoraSize): number {
  if (!(Number.isInteger(rank) && rank >= 1))
    throw new IlrecError(`estimateMemory: rank must be a positive integer, got ${rank}`);
  return matrices(sizes, targets).reduce((sum, { shape }) => sum + rank * (shape[0] + shape[1]), 0);
}

/** What the adapters' products add inside of the blocks; an adapter's product is put beside zeros for its neighbours that have none. */
function blockAdapterValues(
  sizes: DecoderSizes,
  { rank, targets }: LoraSize,
  rows: number,
  { lora }: MemoryCoefficients,
): number {
  const inBlocks = matrices(sizes, targets).filter(({ path }) => path !== HEAD);
  const groups = new Set(inBlocks.map(({ path }) => neighbours(path)));
  const beside = sizes.weights
    .filter(({ path }) => neighbours(path) !== null && groups.has(neighbours(path)))
    .reduce((sum, { shape }) => sum + shape[1], 0);
  return inBlocks.reduce(
    (sum, { shape: [inputs, outputs] }) =>
      sum + rows * (lora.inputs * inputs + lora.rank * rank + lora.outputs * outputs),
    rows * lora.joined * beside,
  );
}

/** Names the products that lie beside a weight's; null for none. */
function neighbours(path: string): string | null {
  const group = SIDE_BY_SIDE.findIndex((pattern) => pattern.test(path));
  return group === -1 ? null : `${path.slice(0, path.lastIndexOf('/'))} ${group}`;
}

/** The weights with an adapter; norms and biases that a pattern matches have none, a tied head has one beside the embedding. */
function matrices(sizes: DecoderSizes, targets: LoraSize['targets']): WeightSize[] {
  const { weights, isTied, vocabSize, hiddenSize } = sizes;
  const products = isTied
    ? [...weights, { path: HEAD, shape: [vocabSize, hiddenSize], size: vocabSize * hiddenSize }]
    : weights;
  return matching(products, targets, 'targets').filter(({ shape }) => shape.length === 2);
}

function matching(
  weights: readonly WeightSize[],
  selectors: readonly (string | RegExp)[],
  option: string,
): WeightSize[] {
  for (const selector of selectors) {
    if (!weights.some((weight) => matches(weight, selector))) {
      throw new IlrecError(
        `estimateMemory: ${option} must match weights of the model, got none for ${String(selector)}; it has ${weights.map(({ path }) => path).join(', ')}`,
      );
    }
  }
  return weights.filter((weight) => selectors.some((selector) => matches(weight, selector)));
}

function matches({ path }: WeightSize, selector: string | RegExp): boolean {
  return typeof selector === 'string'
    ? path === selector || path.endsWith(`/${selector}`) || path.startsWith(`${selector}/`)
    : selector.test(path);
}

function numbersOf(weights: readonly WeightSize[]): number {
  return weights.reduce((sum, { size }) => sum + size, 0);
}
