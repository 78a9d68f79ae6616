import * as tf from '@tensorflow/tfjs-core';
import { staysOnDevice } from './device_head';
import { ownKernel } from '../ops/own_kernel';
import { hiddenSizeOf, type VocabularyProjection, VocabularyTile, vocabSizeOf } from './vocabulary_projection';

interface Limits {
  /** Up to this many logits are made at once; for more, the head is read tile by tile. */
  readonly dense: number;
  /** Logits of one tile. */
  readonly tile: number;
}

/** 4 MiB of logits at once, tiles of 1 MiB, which stay in the cache. */
const LIMITS: Limits = { dense: 2 ** 20, tile: 2 ** 18 };
/** On backends that cut the tile's part out of the head: 2 MiB of logits, and of that part. */
const CUT_LIMITS: Limits = { ...LIMITS, tile: 2 ** 19 };
/**
 * On TensorFlow, where each further reading of the head costs more: up to 16 MiB of logits at once. A step holds about
 * eight times as much at its peak.
 */
const TENSORFLOW_LIMITS: Limits = { ...CUT_LIMITS, dense: 2 ** 22 };
/** On a device, where each tile is several programs to run. */
const DEVICE_LIMITS: Limits = { ...LIMITS, tile: 2 ** 20 };
/** Up to this vocabulary, reading the head is not what a step spends its time on. */
const SMALL_VOCABULARY = 4096;
const MIN_WIDTH = 64;

function limits(): Limits {
  if (staysOnDevice()) return DEVICE_LIMITS;
  if (tf.getBackend() === 'tensorflow') return TENSORFLOW_LIMITS;
  return ownKernel('ILRecTileLogits') === null ? CUT_LIMITS : LIMITS;
}

/**
 * Whether a loss should read a linear head tile by tile instead of making its logits [numRows, vocabSize]. On WebGPU,
 * where nothing can be read back synchronously, only with the kernels of this package.
 */
export function isStreamed(vocabSize: number, numRows: number): boolean {
  return (
    vocabSize > SMALL_VOCABULARY &&
    vocabSize * numRows > limits().dense &&
    (!tf.getBackend().startsWith('webgpu') || staysOnDevice())
  );
}

/** How many tokens a tile has on the current backend, for `numRows` rows of logits. */
export function tileWidth(numRows: number, vocabSize: number, hiddenSize: number): number {
  const { dense, tile } = limits();
  if (numRows * vocabSize <= dense) return vocabSize;
  const readsInPlace = staysOnDevice() || ownKernel('ILRecTileLogits') !== null;
  const width = Math.floor(tile / (readsInPlace ? numRows : Math.max(numRows, hiddenSize)));
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
