import type * as tf from '@tensorflow/tfjs-core';
import { type DeviceHead, type HeadPart, partsOfTile, sizesOf } from './parts';
import { memoize } from '../shader_program';
import { runTiledProduct, tiledProduct } from '../tiled_product';
import type { WebGpuBackend } from '../webgpu_backend';

/** Neighbouring tokens of a head. */
export interface Tile {
  readonly head: DeviceHead;
  readonly start: number;
  readonly size: number;
}

/**
 * The rows that are worked on, where a list on the device names them (see `listRows`): in each of `copies` blocks of
 * `numRows` hidden states the same.
 */
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

/** The uniforms that say where a part's numbers are. @param start the tile's first token. */
function integersOf({ firstToken, firstDim, tokenStride, dimStride }: HeadPart, start: number): Record<string, number> {
  return { first: start - firstToken, first_dim: firstDim, token_stride: tokenStride, dim_stride: dimStride };
}

/**
 * What a logit is added to: the bias or nothing in the first part of the head's matrix, else the sum over earlier
 * parts.
 */
type LogitStart = 'nothing' | 'bias' | 'earlier parts';
const LOGIT_STARTS: Readonly<Record<LogitStart, string>> = {
  nothing: '0.0',
  bias: 'bias[u.start + n]',
  'earlier parts': 'logits[place]',
};

const logitProgram = memoize((begin: LogitStart, inRows: boolean, listedCopies: number) =>
  tiledProduct({
    name: 'tileLogits',
    numRows: listedCopies === 0 ? undefined : `${listedCopies}u * u32(list[0])`,
    functions: `${weightAt}${listedCopies === 0 ? allRows : listedRows}
      fn a_at(m: u32, k: u32) -> f32 { return hidden[row_of(m) * u.hidden_size + u.first_dim + k]; }
      fn b_at(k: u32, n: u32) -> f32 { return weight_at(u.first + n, k); }
      fn put(m: u32, n: u32, part: u32, value: f32) {
        let place = m * u.num_columns + n;
        logits[place] = ${LOGIT_STARTS[begin]} + value;
      }`,
    alongDepth: { a: true, b: inRows },
  }),
);

/**
 * Logits of hidden states [R, D] in a tile, into the first [R, size] of `logits`; those of listed rows follow each
 * other.
 */
export function tileLogits(
  backend: WebGpuBackend,
  { head, start, size }: Tile,
  hidden: tf.TensorInfo,
  logits: tf.TensorInfo,
  listed?: ListedRows,
): void {
  for (const part of partsOfTile(backend, head, start, size)) {
    const begin = part.firstDim > 0 ? 'earlier parts' : head.bias === null ? 'nothing' : 'bias';
    runTiledProduct(backend, logitProgram(begin, head.inRows, listed?.copies ?? 0), {
      rows: listed === undefined ? hidden.shape[0] : listed.copies * listed.numRows,
      columns: size,
      depth: part.numDims,
      reads: {
        hidden,
        weight: part.operand,
        ...(head.bias !== null && begin === 'bias' ? { bias: head.bias } : {}),
        ...(listed === undefined ? {} : { list: listed.list }),
      },
      writes: { logits },
      integers: { start, hidden_size: hidden.shape[1], listed: listed?.numRows ?? 0, ...integersOf(part, start) },
    });
  }
}

/** What the sums over a head's rows are made of. */
export interface TileSums {
  /** [rows, size] */
  readonly factors: tf.TensorInfo;
  /** Whether the factors are given as logits x, and e^(x - m) is meant. */
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

const sumProgram = memoize((areLogits: boolean, inRows: boolean, isListed: boolean) =>
  tiledProduct({
    name: 'addTileSums',
    numRows: isListed ? 'u32(list[0])' : undefined,
    functions: `${weightAt}
      fn a_at(m: u32, k: u32) -> f32 { return ${areLogits ? 'exp(factors[m * u.depth + k] - softmax[3u * m])' : 'factors[m * u.depth + k]'}; }
      fn b_at(k: u32, n: u32) -> f32 { return weight_at(u.first + k, n); }
      fn put(m: u32, n: u32, part: u32, value: f32) {
        let place = (part * u.num_rows + m) * u.hidden_size + u.first_dim + n;
        var before = 0.0;
        if (u.is_first == 0u) { before = sums[place] * softmax[3u * m + 2u]; }
        sums[place] = before + value;
      }`,
    alongDepth: { a: true, b: !inRows },
  }),
);

/** Adds the tile's rows of W, each with its factor, to the sums over earlier tiles times e^(m before - m). */
export function addTileSums(
  backend: WebGpuBackend,
  { head, start, size }: Tile,
  { factors, areLogits, numRows, softmax, sums, parts, isFirst, listed }: TileSums,
): void {
  const { hiddenSize } = sizesOf(head);
  for (const part of partsOfTile(backend, head, start, size)) {
    runTiledProduct(backend, sumProgram(areLogits, head.inRows, listed !== undefined), {
      rows: numRows,
      columns: part.numDims,
      depth: size,
      parts,
      reads: {
        factors,
        weight: part.operand,
        softmax,
        ...(listed === undefined ? {} : { list: listed.list }),
      },
      writes: { sums },
      integers: { hidden_size: hiddenSize, is_first: isFirst ? 1 : 0, ...integersOf(part, start) },
    });
  }
}

const gradientProgram = memoize((inRows: boolean) => {
  const factor = 'factors[(u.first_row + k) * u.width + token]';
  const state = 'hidden[(u.first_row + k) * u.hidden_size + u.first_dim + dim]';
  const [row, column] = inRows ? ['token', 'dim'] : ['dim', 'token']; // neighbours in memory are made by neighbours
  return tiledProduct({
    name: 'putTileGradient',
    functions: `
      fn a_at(${row}: u32, k: u32) -> f32 { return ${inRows ? factor : state}; }
      fn b_at(k: u32, ${column}: u32) -> f32 { return ${inRows ? state : factor}; }
      fn put(${row}: u32, ${column}: u32, part: u32, value: f32) { gradient[(u.first + token) * u.token_stride + dim * u.dim_stride] = value; }`,
    alongDepth: { a: false, b: false },
  });
});

/**
 * Gradient of the tile's rows of W, put at the tile's place in `gradient`: from factors [R, size] and the hidden states
 * [R, D] whose logits they flow to.
 */
export function putTileGradient(
  backend: WebGpuBackend,
  { head, start, size }: Tile,
  gradient: tf.TensorInfo,
  factors: tf.TensorInfo,
  hidden: tf.TensorInfo,
  firstRow: number,
  numRows: number,
): void {
  for (const part of partsOfTile(backend, { ...head, weight: gradient }, start, size)) {
    runTiledProduct(backend, gradientProgram(head.inRows), {
      rows: head.inRows ? size : part.numDims,
      columns: head.inRows ? part.numDims : size,
      depth: numRows,
      reads: { factors, hidden },
      writes: { gradient: part.operand },
      integers: { first_row: firstRow, width: size, hidden_size: hidden.shape[1], ...integersOf(part, start) },
    });
  }
}
