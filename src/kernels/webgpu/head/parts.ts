import type * as tf from '@tensorflow/tfjs-core';
import { bindingLimit } from '../binding_limit';
import { alignment, type Operand } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

/** A linear head on the device, W [V, D] in rows or [D, V] in columns. */
export interface DeviceHead {
  readonly weight: tf.TensorInfo;
  /** [V]; null for none. */
  readonly bias: tf.TensorInfo | null;
  readonly inRows: boolean;
}

/**
 * A part of a head's matrix that one binding holds. Number d of a token is at `(token - firstToken) * tokenStride + (d
 * - firstDim) * dimStride`.
 */
export interface HeadPart {
  readonly operand: Operand;
  readonly firstToken: number;
  readonly numTokens: number;
  readonly firstDim: number;
  readonly numDims: number;
  readonly tokenStride: number;
  readonly dimStride: number;
}

export function sizesOf({ weight: { shape }, inRows }: DeviceHead): { vocabSize: number; hiddenSize: number } {
  return inRows ? { vocabSize: shape[0], hiddenSize: shape[1] } : { vocabSize: shape[1], hiddenSize: shape[0] };
}

/** Tiles are a multiple of this many tokens, so that every tile of a head in rows begins where a binding may begin. */
export const TILE_ALIGNMENT = 64;

/** The most tokens of a tile, at least `TILE_ALIGNMENT`, that one binding holds. */
export function mostTokens(backend: WebGpuBackend, head: DeviceHead): number {
  const { vocabSize, hiddenSize } = sizesOf(head);
  const fit = head.inRows ? Math.floor(bindingLimit(backend.device) / (4 * hiddenSize)) : vocabSize;
  if (fit >= vocabSize) return Math.ceil(vocabSize / TILE_ALIGNMENT) * TILE_ALIGNMENT;
  return Math.max(TILE_ALIGNMENT, fit - (fit % TILE_ALIGNMENT));
}

/**
 * The parts of a head's matrix, or of its gradient, that hold the tokens [start, start + size): one part of a head in
 * rows, as many as needed of one in columns.
 *
 * @throws Error when the fewest dimensions that can be bound at once are above the device's limit.
 */
export function partsOfTile(backend: WebGpuBackend, head: DeviceHead, start: number, size: number): HeadPart[] {
  const { vocabSize, hiddenSize } = sizesOf(head);
  const { weight } = head;
  if (head.inRows) {
    const operand = { tensor: weight, begin: start * hiddenSize, end: (start + size) * hiddenSize };
    return [
      {
        operand,
        firstToken: start,
        numTokens: size,
        firstDim: 0,
        numDims: hiddenSize,
        tokenStride: hiddenSize,
        dimStride: 1,
      },
    ];
  }
  const limit = bindingLimit(backend.device);
  const step = stepOf(vocabSize, alignment(backend.device).numbers);
  const fit = Math.floor(limit / (4 * vocabSize));
  const numDims = fit >= hiddenSize ? hiddenSize : fit - (fit % step);
  if (numDims === 0) {
    throw new Error(
      `webgpu: on this adapter ${step} rows of a head of ${vocabSize} columns must fit ${limit} bytes, got ` +
        `${4 * step * vocabSize}; use a head with a row for each token`,
    );
  }
  const parts: HeadPart[] = [];
  for (let firstDim = 0; firstDim < hiddenSize; firstDim += numDims) {
    const count = Math.min(numDims, hiddenSize - firstDim);
    const operand = { tensor: weight, begin: firstDim * vocabSize, end: (firstDim + count) * vocabSize };
    parts.push({
      operand,
      firstToken: 0,
      numTokens: vocabSize,
      firstDim,
      numDims: count,
      tokenStride: 1,
      dimStride: vocabSize,
    });
  }
  return parts;
}

/** All of a head's matrix, in as few parts as bindings hold. */
export function partsOfHead(backend: WebGpuBackend, head: DeviceHead): HeadPart[] {
  const { vocabSize } = sizesOf(head);
  const width = mostTokens(backend, head);
  const parts: HeadPart[] = [];
  for (let start = 0; start < vocabSize; start += width)
    parts.push(...partsOfTile(backend, head, start, Math.min(width, vocabSize - start)));
  return parts;
}

/** The fewest rows of `length` numbers whose size is a multiple of `multiple`, a power of two. */
function stepOf(length: number, multiple: number): number {
  let step = multiple;
  while (step > 1 && ((length * step) / 2) % multiple === 0) step /= 2;
  return step;
}
