import * as tf from '@tensorflow/tfjs-core';
import { staysOnDevice } from './device_head';
import { ownKernel } from './own_kernel';
import { hiddenSizeOf, type VocabularyProjection, VocabularyTile, vocabSizeOf } from './vocabulary_projection';

/** Logits up to this many (4 MiB) are made at once; so are those of small vocabularies, where reading the head is not what costs. */
const [DENSE_LOGITS, SMALL_VOCABULARY] = [2 ** 20, 4096];
/** Numbers of one tile of logits: 1 MiB where the head is read where it lies, else 2 MiB, as much as of the part of the head that is cut out; 4 MiB on a device, where more tiles are more programs to run. */
const [TILE_SIZE, CUT_TILE_SIZE, DEVICE_TILE_SIZE] = [2 ** 18, 2 ** 19, 2 ** 20];
const MIN_WIDTH = 64;

/** Whether a linear head is read tile by tile, so that its logits [numRows, vocabSize] never exist as a whole; on WebGPU, where nothing can be read back at once, only by kernels of its own. */
export function isStreamed(vocabSize: number, numRows: number): boolean {
  return vocabSize > SMALL_VOCABULARY && vocabSize * numRows > DENSE_LOGITS && (!tf.getBackend().startsWith('webgpu') || staysOnDevice());
}

/** How many tokens a tile has whose logits are `numRows` rows, on the current backend. */
export function tileWidth(numRows: number, vocabSize: number, hiddenSize: number): number {
  if (numRows * vocabSize <= DENSE_LOGITS) return vocabSize;
  if (staysOnDevice()) return Math.min(vocabSize, Math.max(MIN_WIDTH, Math.floor(DEVICE_TILE_SIZE / numRows)));
  const isCut = ownKernel('ILRecTileLogits') === null;
  const width = Math.floor(isCut ? CUT_TILE_SIZE / Math.max(numRows, hiddenSize) : TILE_SIZE / numRows);
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
