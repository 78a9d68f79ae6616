import type * as tf from '@tensorflow/tfjs-core';
import { type CandidateRule, collectCandidates, emptyCandidates } from './candidates';
import { type DeviceHead, mostTokens, sizesOf, TILE_ALIGNMENT } from './parts';
import { countNegatives, penaliseTile } from './penalised';
import type { DevicePenalty } from './penalty';
import { addToSoftmax, type LogitRows } from './softmax';
import { divideListedSums, divideSums, putLogTotals } from './sums';
import { addTileSums, type ListedRows, type Tile, tileLogits } from './tile';
import { fillTensor } from '../large_elementwise';
import { listRows } from '../row_list';
import { makeOutput } from '../shader';
import { partsOfDepth } from '../tiled_product';
import type { WebGpuBackend } from '../webgpu_backend';

/**
 * Calls `visit` with the head's tiles of about `width` tokens, in order, each time with the same room for the logits of
 * `rows` rows.
 */
export function forEachTile(
  backend: WebGpuBackend,
  head: DeviceHead,
  width: number,
  rows: number,
  visit: (tile: Tile, logits: tf.TensorInfo) => void,
): void {
  const { vocabSize } = sizesOf(head);
  const most = widthOf(backend, head, width);
  const logits = makeOutput(backend, [rows, Math.min(most, vocabSize)]);
  for (let start = 0; start < vocabSize; start += most)
    visit({ head, start, size: Math.min(most, vocabSize - start) }, logits);
  backend.disposeData(logits.dataId);
}

/** Tokens of a tile when `width` are asked for. */
function widthOf(backend: WebGpuBackend, head: DeviceHead, width: number): number {
  return Math.min(mostTokens(backend, head), Math.ceil(width / TILE_ALIGNMENT) * TILE_ALIGNMENT);
}

export interface HeadReading {
  readonly width: number;
  readonly logitRows: LogitRows;
  /** E_p[W] is asked for in so many rows, the first ones. */
  readonly numExpected: number;
  /** What decides on the negatives of the response rows, and how many of a row are kept; null for none. */
  readonly candidates: (CandidateRule & { readonly capacity: number }) | null;
}

/**
 * Reads a head once.
 *
 * @returns m, s and a factor of each row [R, 3]; where asked for E_p[W] [numExpected, D]; where asked for the
 *   candidates: tokens, z~ and z^L [P, C] and their progress [P, 2].
 */
export function readHead(
  backend: WebGpuBackend,
  head: DeviceHead,
  hidden: tf.TensorInfo,
  { width, logitRows, numExpected, candidates }: HeadReading,
): tf.TensorInfo[] {
  const { hiddenSize } = sizesOf(head);
  const softmax = makeOutput(backend, [logitRows.numDirect + logitRows.numEnsemble, 3]);
  const found = candidates === null ? null : emptyCandidates(backend, logitRows.numEnsemble, candidates.capacity);
  const parts = partsOfDepth(numExpected, hiddenSize, widthOf(backend, head, width));
  const sums = numExpected === 0 ? null : makeOutput(backend, [parts * numExpected, hiddenSize]);
  forEachTile(backend, head, width, hidden.shape[0], (tile, logits) => {
    const { start, size } = tile;
    tileLogits(backend, tile, hidden, logits);
    addToSoftmax(backend, logits, softmax, logitRows, size, start === 0);
    if (candidates !== null && found !== null)
      collectCandidates(backend, logits, softmax, logitRows, start, size, candidates, found);
    if (sums !== null)
      addTileSums(backend, tile, {
        factors: logits,
        areLogits: true,
        numRows: numExpected,
        softmax,
        sums,
        parts,
        isFirst: start === 0,
      });
  });
  const outputs = [softmax];
  if (sums !== null) {
    const means = makeOutput(backend, [numExpected, hiddenSize]);
    divideSums(backend, sums, parts, softmax, means);
    backend.disposeData(sums.dataId);
    outputs.push(means);
  }
  if (found !== null) outputs.push(found.tokens, found.ensembleLogits, found.finalLogits, found.progress);
  return outputs;
}

export interface SecondReading {
  readonly width: number;
  readonly penalty: DevicePenalty;
  readonly withSums: boolean;
  /** Columns `KNOWN` of each row, [P, 4], and which rows are to be read, [P, 1]. */
  readonly known: tf.TensorInfo;
  readonly marks: tf.TensorInfo;
}

/**
 * Reads the head twice more for the marked rows, whose thresholds are known now: first the number and masses of their
 * negatives, then the penalised sums. Only the device knows which rows are marked; the workgroups of the others end at
 * once.
 *
 * @param hidden final and ensemble hidden states, [2 P, D].
 * @returns the columns `NEGATIVES` [P, 4], and where asked for the sums over the vocabulary of p' dz'/dz W, [P, D]; 0
 *   for unmarked rows.
 */
export function readAgain(
  backend: WebGpuBackend,
  head: DeviceHead,
  hidden: tf.TensorInfo,
  { width, penalty, withSums, known, marks }: SecondReading,
): tf.TensorInfo[] {
  const { hiddenSize } = sizesOf(head);
  const numRows = hidden.shape[0] / 2;
  const list = listRows(backend, marks);
  const listed: ListedRows = { list, numRows, copies: 2 };
  const found = makeOutput(backend, [numRows, 4]);
  fillTensor(backend, found, 0);
  forEachTile(backend, head, width, 2 * numRows, (tile, logits) => {
    tileLogits(backend, tile, hidden, logits, listed);
    countNegatives(backend, logits, listed, tile.start, tile.size, known, found);
  });

  const softmax = makeOutput(backend, [numRows, 3]);
  const parts = partsOfDepth(numRows, hiddenSize, widthOf(backend, head, width));
  const sums = withSums ? makeOutput(backend, [parts * numRows, hiddenSize]) : null;
  forEachTile(backend, head, width, 2 * numRows, (tile, logits) => {
    const isFirst = tile.start === 0;
    tileLogits(backend, tile, hidden, logits, listed);
    penaliseTile(backend, logits, listed, tile.start, tile.size, known, found, softmax, penalty, isFirst);
    if (sums !== null)
      addTileSums(backend, tile, { factors: logits, areLogits: false, numRows, softmax, sums, parts, isFirst, listed });
  });
  putLogTotals(backend, softmax, listed, known, found);
  const outputs = [found];
  if (sums !== null) {
    const means = makeOutput(backend, [numRows, hiddenSize]);
    fillTensor(backend, means, 0);
    divideListedSums(backend, sums, parts, softmax, listed, means);
    backend.disposeData(sums.dataId);
    outputs.push(means);
  }
  for (const { dataId } of [list, softmax]) backend.disposeData(dataId);
  return outputs;
}
