import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from './own_kernel';
import { hiddenSizeOf, type VocabularyProjection, VocabularyTile, vocabSizeOf } from './vocabulary_projection';

interface Limits {
  /** Numbers of logits that the loss makes at once; with more, the head is read tile by tile. */
  readonly dense: number;
  /** Numbers of one tile of logits where the head is read where it lies. */
  readonly tile: number;
  /** Where the tile's part of the head is cut out: of that part too. */
  readonly cutTile: number;
}

/** 4 MiB of logits at once, tiles of 1 and 2 MiB, which stay in the cache. */
const LIMITS: Limits = { dense: 2 ** 20, tile: 2 ** 18, cutTile: 2 ** 19 };
/**
 * On TensorFlow each further reading of the vocabulary costs more than memory does: a step of ILRec is a fifth faster with 64 MiB of logits at once, of which a
 * step holds about eight at its peak, and a streamed one a tenth faster with tiles of 8 MiB.
 */
const TENSORFLOW_LIMITS: Limits = { dense: 2 ** 24, tile: 2 ** 21, cutTile: 2 ** 21 };
/** Vocabularies of which reading the head is not what costs. */
const SMALL_VOCABULARY = 4096;
const MIN_WIDTH = 64;

const limits = (): Limits => (tf.getBackend() === 'tensorflow' ? TENSORFLOW_LIMITS : LIMITS);

/** Whether a linear head is read tile by tile, so that its logits [numRows, vocabSize] never exist as a whole; not on WebGPU, where nothing can be read back at once. */
export function isStreamed(vocabSize: number, numRows: number): boolean {
  return vocabSize > SMALL_VOCABULARY && vocabSize * numRows > limits().dense && !tf.getBackend().startsWith('webgpu');
}

/** How many tokens a tile has whose logits are `numRows` rows, on the current backend. */
export function tileWidth(numRows: number, vocabSize: number, hiddenSize: number): number {
  const { tile, cutTile } = limits();
  if (numRows * vocabSize <= Math.max(LIMITS.dense, tile)) return vocabSize;
  const width = Math.floor(ownKernel('ILRecTileLogits') === null ? cutTile / Math.max(numRows, hiddenSize) : tile / numRows);
  return Math.min(vocabSize, Math.max(MIN_WIDTH, width - (width % 8)));
}

/** Calls `visit` with the head's tiles in order, each in a tidy of its own. */
export function forEachTile(head: VocabularyProjection, numRows: number, visit: (tile: VocabularyTile) => void): void {
  const vocabSize = vocabSizeOf(head);
  const width = tileWidth(numRows, vocabSize, hiddenSizeOf(head));
  for (let start = 0; start < vocabSize; start += width) {
    const size = Math.min(width, vocabSize - start);
    tf.tidy(() => visit(new VocabularyTile(head, start, size)));
  }
}
