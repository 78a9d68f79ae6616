import type * as tf from '@tensorflow/tfjs-core';
import { type CandidateRule, collectCandidates, emptyCandidates } from './candidates';
import { type DeviceHead, mostTokens, sizesOf, TILE_ALIGNMENT } from './parts';
import { countNegatives, type DevicePenalty, penaliseTile } from './penalised';
import { addToSoftmax, type TileRows } from './softmax';
import { divideListedSums, divideSums, putLogTotals } from './sums';
import { addTileSums, type ListedRows, type Tile, tileLogits } from './tile';
import { listRows } from '../row_list';
import { fillTensor } from '../large_elementwise';
import { makeOutput } from '../shader';
import { partsOfDepth } from '../tiled_product';
import type { WebGpuBackend } from '../webgpu_backend';

/** Calls `visit` with the head's tiles of about `width` tokens in order, and with room for `rows` rows of logits of any of them. */
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

/** Tokens of a tile where `width` are asked for. */
function widthOf(backend: WebGpuBackend, head: DeviceHead, width: number): number {
  return Math.min(mostTokens(backend, head), Math.ceil(width / TILE_ALIGNMENT) * TILE_ALIGNMENT);
}

export interface HeadReading {
  readonly width: number;
  readonly rows: TileRows;
  /** Of how many rows, the first ones, E_p[W] is asked for. */
  readonly numExpected: number;
  /** What decides on the negatives of the response rows and how many of a row are kept; null where none are asked for. */
  readonly candidates: (CandidateRule & { readonly capacity: number }) | null;
}

/** One reading of a head: m, s of each row in `softmax` [R, 3], E_p[W] and the tokens that may be negatives, as far as they are asked for. */
export function readHead(
  backend: WebGpuBackend,
  head: DeviceHead,
  hidden: tf.TensorInfo,
  { width, rows, numExpected, candidates }: HeadReading,
): tf.TensorInfo[] {
  const { hiddenSize } = sizesOf(head);
  const softmax = makeOutput(backend, [rows.numDirect + rows.numBlended, 3]);
  const found = candidates === null ? null : emptyCandidates(backend, rows.numBlended, candidates.capacity);
  const parts = partsOfDepth(numExpected, hiddenSize, widthOf(backend, head, width));
  const sums = numExpected === 0 ? null : makeOutput(backend, [parts * numExpected, hiddenSize]);
  forEachTile(backend, head, width, hidden.shape[0], (tile, logits) => {
    const { start, size } = tile;
    tileLogits(backend, tile, hidden, logits);
    addToSoftmax(backend, logits, softmax, rows, size, start === 0);
    if (candidates !== null && found !== null)
      collectCandidates(backend, logits, softmax, rows, start, size, candidates, found);
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
  if (found !== null) outputs.push(found.tokens, found.ensemble, found.final, found.progress);
  return outputs;
}

export interface SecondReading {
  readonly width: number;
  readonly penalty: DevicePenalty;
  readonly withSums: boolean;
  /** What is known of each row, [P, 4], and which are to be read, [P, 1]. */
  readonly known: tf.TensorInfo;
  readonly marks: tf.TensorInfo;
}

/**
 * Two more readings of the head for the marked rows, with their thresholds known: the negatives' number and masses, then the penalised sums. Where no row is
 * marked, which only the device knows, its workgroups end as they begin.
 *
 * @param hidden final and ensemble hidden states, [2 P, D].
 * @returns the columns of `NEGATIVES` [P, 4], and where asked for the sums over the vocabulary of p' dz'/dz W, [P, D]; 0 for unmarked rows.
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
