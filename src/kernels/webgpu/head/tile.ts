import type * as tf from '@tensorflow/tfjs-core';
import { type DeviceHead, partsOfTile, sizesOf } from './parts';
import { runTiledProduct } from '../tiled_product';
import type { WebGpuBackend } from '../webgpu_backend';

/** Neighbouring tokens of a head. */
export interface Tile {
  readonly head: DeviceHead;
  readonly start: number;
  readonly size: number;
}

/** Which rows are worked on: all of them, or those that a list on the device names (see `listRows`), each in `copies` blocks of `numRows` hidden states. */
export interface ListedRows {
  readonly list: tf.TensorInfo;
  readonly numRows: number;
  readonly copies: number;
}

const allRows = 'fn row_of(m: u32) -> u32 { return m; }';
const listedRows = `
fn row_of(m: u32) -> u32 {
  let count = u32(list[0]);
  return (m / count) * u.listed + u32(list[1u + m % count]);
}`;

const weightAt =
  'fn weight_at(token: u32, dim: u32) -> f32 { return weight[token * u.token_stride + dim * u.dim_stride]; }\n';

/** Logits of hidden states [R, D] in a tile, into the first [R, size] of `logits`; of listed rows, one under the other. */
export function tileLogits(
  backend: WebGpuBackend,
  { head, start, size }: Tile,
  hidden: tf.TensorInfo,
  logits: tf.TensorInfo,
  listed?: ListedRows,
): void {
  const rows = listed === undefined ? hidden.shape[0] : listed.copies * listed.numRows;
  for (const { operand, firstToken, firstDim, numDims, tokenStride, dimStride } of partsOfTile(
    backend,
    head,
    start,
    size,
  )) {
    const bias = firstDim > 0 ? 'logits[at]' : head.bias === null ? '0.0' : 'bias[u.start + n]';
    runTiledProduct(backend, {
      name: `ILRecHeadLogits ${bias} ${head.inRows} ${listed !== undefined}`,
      rows,
      columns: size,
      depth: numDims,
      reads: {
        hidden,
        weight: operand,
        ...(head.bias !== null && firstDim === 0 ? { bias: head.bias } : {}),
        ...(listed === undefined ? {} : { list: listed.list }),
      },
      writes: { logits },
      integers: {
        start,
        first: start - firstToken,
        first_dim: firstDim,
        hidden_size: hidden.shape[1],
        token_stride: tokenStride,
        dim_stride: dimStride,
        listed: listed?.numRows ?? 0,
      },
      numRows: listed === undefined ? undefined : `${listed.copies}u * u32(list[0])`,
      functions: `${weightAt}${listed === undefined ? allRows : listedRows}
        fn a_at(m: u32, k: u32) -> f32 { return hidden[row_of(m) * u.hidden_size + u.first_dim + k]; }
        fn b_at(k: u32, n: u32) -> f32 { return weight_at(u.first + n, k); }
        fn put(m: u32, n: u32, part: u32, value: f32) {
          let at = m * u.num_columns + n;
          logits[at] = ${bias} + value;
        }`,
      alongDepth: { a: true, b: head.inRows },
    });
  }
}

/** What the sums over a head's rows are made of. */
export interface TileSums {
  /** [rows, size] */
  readonly factors: tf.TensorInfo;
  /** Whether the factors are logits whose e^(x - m) is meant. */
  readonly areLogits: boolean;
  readonly numRows: number;
  /** m, s and e^(m before - m) of each row. */
  readonly softmax: tf.TensorInfo;
  /** Sums over earlier tiles, [parts * numRows, D]. */
  readonly sums: tf.TensorInfo;
  readonly parts: number;
  readonly isFirst: boolean;
  readonly listed?: ListedRows;
}

/** Adds up the tile's rows of W, each with its factor, to what earlier tiles gave times e^(m before - m). */
export function addTileSums(
  backend: WebGpuBackend,
  { head, start, size }: Tile,
  { factors, areLogits, numRows, softmax, sums, parts, isFirst, listed }: TileSums,
): void {
  const { hiddenSize } = sizesOf(head);
  for (const { operand, firstToken, firstDim, numDims, tokenStride, dimStride } of partsOfTile(
    backend,
    head,
    start,
    size,
  )) {
    runTiledProduct(backend, {
      name: `ILRecHeadSums ${areLogits} ${head.inRows} ${listed !== undefined}`,
      rows: numRows,
      columns: numDims,
      depth: size,
      parts,
      reads: { factors, weight: operand, softmax, ...(listed === undefined ? {} : { list: listed.list }) },
      writes: { sums },
      integers: {
        first: start - firstToken,
        first_dim: firstDim,
        hidden_size: hiddenSize,
        token_stride: tokenStride,
        dim_stride: dimStride,
        is_first: isFirst ? 1 : 0,
      },
      numRows: listed === undefined ? undefined : 'u32(list[0])',
      functions: `${weightAt}
        fn a_at(m: u32, k: u32) -> f32 { return ${areLogits ? 'exp(factors[m * u.depth + k] - softmax[3u * m])' : 'factors[m * u.depth + k]'}; }
        fn b_at(k: u32, n: u32) -> f32 { return weight_at(u.first + k, n); }
        fn put(m: u32, n: u32, part: u32, value: f32) {
          let at = (part * u.num_rows + m) * u.hidden_size + u.first_dim + n;
          var before = 0.0;
          if (u.is_first == 0u) { before = sums[at] * softmax[3u * m + 2u]; }
          sums[at] = before + value;
        }`,
      alongDepth: { a: true, b: !head.inRows },
    });
  }
}

/** Gradient of the tile's rows of W from factors [R, size] and the hidden states [R, D] whose logits they flow to, into the tile's place in `gradient`. */
export function putTileGradient(
  backend: WebGpuBackend,
  { head, start, size }: Tile,
  gradient: tf.TensorInfo,
  factors: tf.TensorInfo,
  hidden: tf.TensorInfo,
  firstRow: number,
  numRows: number,
): void {
  for (const { operand, firstToken, firstDim, numDims, tokenStride, dimStride } of partsOfTile(
    backend,
    { ...head, weight: gradient },
    start,
    size,
  )) {
    const factor = 'factors[(u.first_row + k) * u.width + token]';
    const state = 'hidden[(u.first_row + k) * u.hidden_size + u.first_dim + dim]';
    const [row, column] = head.inRows ? ['token', 'dim'] : ['dim', 'token']; // neighbours in memory are made by neighbours
    runTiledProduct(backend, {
      name: `ILRecHeadGradient ${head.inRows}`,
      rows: head.inRows ? size : numDims,
      columns: head.inRows ? numDims : size,
      depth: numRows,
      reads: { factors, hidden },
      writes: { gradient: operand },
      integers: {
        first: start - firstToken,
        first_dim: firstDim,
        first_row: firstRow,
        width: size,
        hidden_size: hidden.shape[1],
        token_stride: tokenStride,
        dim_stride: dimStride,
      },
      functions: `
        fn a_at(${row}: u32, k: u32) -> f32 { return ${head.inRows ? factor : state}; }
        fn b_at(k: u32, ${column}: u32) -> f32 { return ${head.inRows ? state : factor}; }
        fn put(${row}: u32, ${column}: u32, part: u32, value: f32) { gradient[(u.first + token) * u.token_stride + dim * u.dim_stride] = value; }`,
      alongDepth: { a: false, b: false },
    });
  }
}
