import { isStreamed, tileWidth } from '../vocabulary/vocabulary_tiles';
import { adaptedMatrices, HEAD, type LoraSize, matchingWeights } from './adapter_sizes';
import type { DecoderSizes } from './decoder_sizes';
import { LOGITS_WHILE_MADE, type LogitCoefficients, type MemoryCoefficients } from './memory_coefficients';

/** What the loss projects onto the vocabulary, and how. */
export interface LossSizes {
  /** P, response positions. */
  readonly positions: number;
  /** Number of layers in S; 0 makes the loss plain cross-entropy. */
  readonly tapped: number;
  /** (1 + S) * P */
  readonly rows: number;
  readonly isCrossEntropy: boolean;
  readonly isStreamed: boolean;
  /** Rank of an adapter on the head; null for none. */
  readonly headRank: number | null;
  readonly trainsHead: boolean;
}

/** The sizes of the loss of a decoder with these response positions, negative layers and adapters. */
export function lossSizes(
  sizes: DecoderSizes,
  { positions, numNegativeLayers, lora }: { positions: number; numNegativeLayers: number; lora?: LoraSize },
  caller: string,
): LossSizes {
  const tapped = Math.min(numNegativeLayers, sizes.numLayers - 1);
  const rows = (1 + tapped) * positions;
  const adaptsHead =
    lora !== undefined && adaptedMatrices(sizes, lora.targets, caller).some(({ path }) => path === HEAD);
  const head = sizes.isTied ? 'embed_tokens/weight' : HEAD;
  const trainsHead =
    lora === undefined ||
    matchingWeights(sizes.weights, lora.trainModules ?? [], 'trainModules', caller).some(({ path }) => path === head);
  return {
    positions,
    tapped,
    rows,
    isCrossEntropy: tapped === 0,
    isStreamed: !adaptsHead && isStreamed(sizes.vocabSize, rows),
    headRank: adaptsHead ? lora.rank : null,
    trainsHead,
  };
}

/** Values that the loss holds at two moments of a step. */
export interface LossValues {
  /** While the loss and its gradient by the logits are computed; no other gradient exists yet. */
  readonly whileMade: number;
  /** When the step ends. */
  readonly atEnd: number;
}

/** The number of values that the loss holds. */
export function lossValues(sizes: DecoderSizes, loss: LossSizes, coefficients: MemoryCoefficients): LossValues {
  return loss.isStreamed ? streamedValues(sizes, loss, coefficients) : denseValues(sizes, loss, coefficients);
}

/** Width of a tile of the vocabulary in a streamed loss; V where all logits are made at once. */
export function logitsWidth({ vocabSize, hiddenSize }: DecoderSizes, loss: LossSizes): number {
  return loss.isStreamed ? tileWidth(loss.rows, vocabSize, hiddenSize) : vocabSize;
}

/** The loss makes all logits at once. */
function denseValues(
  { vocabSize, hiddenSize, isTied }: DecoderSizes,
  { positions, tapped, rows, isCrossEntropy, headRank, trainsHead }: LossSizes,
  c: MemoryCoefficients,
): LossValues {
  const copies = c.headCopies[isCrossEntropy ? 'crossEntropy' : 'ilrec'][isTied ? 'tied' : 'untied'];
  const adapter =
    headRank === null ? 0 : rows * (c.lora.inputs * hiddenSize + c.lora.rank * headRank + c.lora.logits * vocabSize);
  const logits = positions * vocabSize;
  return {
    whileMade: perLogit(LOGITS_WHILE_MADE, isCrossEntropy, tapped) * logits,
    atEnd:
      perLogit(c.logits, isCrossEntropy, tapped) * logits +
      (trainsHead && rows > 0 ? copies * vocabSize * hiddenSize : 0) +
      adapter,
  };
}

/** The loss reads the vocabulary tile by tile. */
function streamedValues(
  sizes: DecoderSizes,
  { positions, tapped, rows, isCrossEntropy, trainsHead }: LossSizes,
  c: MemoryCoefficients,
): LossValues {
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
