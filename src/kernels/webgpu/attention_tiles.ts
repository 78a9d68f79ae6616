import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernel';

/** Queries and keys of a tile. */
export const TILE = 32;
/**
 * How many vec4f of a row are in workgroup memory at once, and the distance between rows there: odd, so that lanes read
 * different banks.
 */
const [CHUNK, ROW] = [8, 9];
/** Numbers from one row of weights to the next. */
export const WEIGHTS_ROW = TILE + 1;
/** In place of minus infinity, which WGSL does not guarantee. */
export const LOWEST = '-3e38';
/** Masks below this are raised to it, so that none comes near `LOWEST`; some masks are the lowest float. */
const LEAST_MASK = '-1e30';
/** A key whose mask is this far below the largest score of a row has probability 0 exactly. */
const OUT_OF_SIGHT = '1e8';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/**
 * How a workgroup divides a tile [32 rows, 32 columns] and sums [32 rows, F]. An invocation has the 4 rows `down * 4 +
 * r`, of the tile the columns `across + c * acrossLanes`, and of the sums the 4 features from `across * 4` on.
 */
export interface Sharing {
  readonly lanes: number;
  readonly acrossLanes: number;
  /** Columns of the tile that an invocation has. */
  readonly columns: readonly number[];
  /** How many rows of F features are in workgroup memory at once. */
  readonly staged: number;
}

const ROWS = upTo(4);

function sharing(acrossLanes: number, staged: number): Sharing {
  return { lanes: 8 * acrossLanes, acrossLanes, columns: upTo(TILE / acrossLanes), staged };
}

const [NARROW, USUAL, WIDE] = [sharing(8, 32), sharing(16, 32), sharing(32, 16)];

/** @param fours F / 4, at most 32. */
export function sharingOf(fours: number): Sharing {
  return fours <= 8 ? NARROW : fours <= 16 ? USUAL : WIDE;
}

/** Workgroup memory of all attention programs. */
export const tileDeclarations = `
  var<workgroup> staged: array<vec4f, ${2 * TILE * ROW}>;
  var<workgroup> weights: array<f32, ${TILE * WEIGHTS_ROW}>;
  var<workgroup> seen: atomic<u32>;
  var<workgroup> anySeen: u32;`;

/** A line of WGSL for each number of the tile that an invocation has. */
export function each(
  { columns, acrossLanes }: Sharing,
  line: (at: { r: number; c: number; row: string; column: string }) => string,
): string {
  return ROWS.flatMap((r) =>
    columns.map((c) => line({ r, c, row: `(down * 4 + ${r})`, column: `(across + ${c * acrossLanes})` })),
  ).join('\n');
}

/** A line of WGSL for each row that an invocation has. */
export function eachRow(line: (r: number, row: string) => string): string {
  return ROWS.map((r) => line(r, `(down * 4 + ${r})`)).join('\n');
}

/** Rows of a matrix [count, F] from `first` on. `start` is where the matrix begins in the array, counted in vec4f. */
export interface Rows {
  readonly array: string;
  readonly start: string;
  readonly first: string;
  readonly count: string;
}

function stageChunk({ array, start, first, count }: Rows, to: number, lanes: number): string {
  return `
    for (var i = lane; i < ${TILE * CHUNK}; i += ${lanes}) {
      let row = ${first} + i / ${CHUNK};
      let four = chunk + i % ${CHUNK};
      var read = vec4f();
      if (row < ${count} && four < u.fours) { read = ${array}[${start} + row * u.fours + four]; }
      staged[${to} + i / ${CHUNK} * ${ROW} + i % ${CHUNK}] = read;
    }`;
}

/** WGSL: the products of the rows of x with those of y, as `name{r}_{c}`. */
export function products(sharing: Sharing, name: string, x: Rows, y: Rows): string {
  const { columns, acrossLanes, lanes } = sharing;
  return `
    ${each(sharing, ({ r, c }) => `var ${name}${r}_${c} = 0.0;`)}
    for (var chunk = 0u; chunk < u.fours; chunk += ${CHUNK}) {
      ${stageChunk(x, 0, lanes)}
      ${stageChunk(y, TILE * ROW, lanes)}
      workgroupBarrier();
      for (var i = 0u; i < ${CHUNK}; i++) {
        ${columns.map((c) => `let y${c} = staged[${TILE * ROW} + (across + ${c * acrossLanes}) * ${ROW} + i];`).join('\n')}
        ${eachRow((r, row) => `let x${r} = staged[${row} * ${ROW} + i];\n${columns.map((c) => `${name}${r}_${c} += dot(x${r}, y${c});`).join('\n')}`)}
      }
      workgroupBarrier();
    }`;
}

/** WGSL: adds the weights [32 rows, 32] times rows [32, F] to `sum{r}`. */
export function addWeighted({ lanes, staged }: Sharing, sum: string, { array, start, first, count }: Rows): string {
  return `
    for (var part = 0u; part < ${TILE}; part += ${staged}) {
      for (var i = lane; i < ${staged} * u.fours; i += ${lanes}) {
        let row = ${first} + part + i / u.fours;
        var read = vec4f();
        if (row < ${count}) { read = ${array}[${start} + row * u.fours + i % u.fours]; }
        staged[i] = read;
      }
      workgroupBarrier();
      for (var i = 0u; i < ${staged}; i++) {
        let read = staged[i * u.fours + across];
        ${eachRow((r, row) => `${sum}${r} += weights[${row} * ${WEIGHTS_ROW} + part + i] * read;`)}
      }
      workgroupBarrier();
    }`;
}

/**
 * WGSL: reads `mask{r}_{c}`, and skips the tile if none of its queries sees any of its keys. A key is unseen if its
 * mask is far below the query's largest score so far. A query that sees no key at all has a low largest score and skips
 * nothing.
 */
export function maskOrContinue(
  sharing: Sharing,
  query: (at: { row: string; column: string }) => string,
  key: (at: { row: string; column: string }) => string,
  largest: (at: { row: string; column: string }) => string,
): string {
  return `
    if (lane == 0) { atomicStore(&seen, 0u); }
    workgroupBarrier();
    var sees = false;
    ${each(
      sharing,
      ({ r, c, ...at }) => `
      let mask${r}_${c} = max(${LEAST_MASK}, mask[maskStart + min(${query(at)}, u.queries - 1) * u.mask2 + min(${key(at)}, u.keys - 1) * u.mask3]);
      sees = sees || (${query(at)} < u.queries && ${key(at)} < u.keys && !(mask${r}_${c} < ${largest(at)} - ${OUT_OF_SIGHT}));`,
    )}
    if (sees) { atomicStore(&seen, 1u); }
    workgroupBarrier();
    if (lane == 0) { anySeen = atomicLoad(&seen); }
    if (workgroupUniformLoad(&anySeen) == 0) { continue; }`;
}

/** Sizes for all attention programs, and the distance in the mask of one step along each axis of [B, H, T, S]. */
export function attentionSizes(query: tf.TensorInfo, key: tf.TensorInfo, mask: tf.TensorInfo): Record<string, number> {
  const [, heads, queries, size] = query.shape;
  const [, groups, keys] = key.shape;
  const sizes = [...new Array<number>(4 - mask.shape.length).fill(1), ...mask.shape];
  const steps = sizes.map((n, axis) => (n === 1 ? 0 : sizeOf(sizes.slice(axis + 1))));
  return {
    heads,
    groups,
    queries,
    keys,
    fours: size / 4,
    mask0: steps[0],
    mask1: steps[1],
    mask2: steps[2],
    mask3: steps[3],
  };
}
