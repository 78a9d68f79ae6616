import * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, type KernelReplacement } from '../kernel';
import { type Layout, matMulProgram, type Tiling } from './mat_mul_program';
import { clear, countOf, makeOutput, runShader } from './shader';
import type { ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

/**
 * Products of any layout and any number of batches, broadcast or not. Wrong shapes are left to tfjs's kernel, which has
 * the errors.
 */
export const webgpuBatchMatMul: KernelReplacement = {
  kernelName: 'BatchMatMul',
  create: (stock) => {
    if (stock === undefined) return undefined;
    return (call) => {
      const [a, b] = [input(call.inputs, 'a'), input(call.inputs, 'b')];
      return (
        matMul(call.backend as WebGpuBackend, a, b, call.attrs?.transposeA === true, call.attrs?.transposeB === true) ??
        stock(call)
      );
    };
  },
};

const LARGE: Tiling = { rows: 64, columns: 64, ownRows: 4, ownColumns: 8, step: 16 };
const SMALL: Tiling = { rows: 32, columns: 32, ownRows: 4, ownColumns: 4, step: 32 };
/** For few rows, as in text generation. */
const FLAT: Tiling = { rows: 8, columns: 128, ownRows: 4, ownColumns: 4, step: 16 };

/**
 * With fewer workgroups than this a device has idle cores: smaller tiles are used then, and parts of the inner axis.
 */
const ENOUGH_GROUPS = 64;
/** The fewest inner numbers of a part. */
const MIN_PART = 256;

/** op(a) · op(b), [..., M, N]; null if the operands do not fit, are not float32 or have more than three batch axes. */
export function matMul(
  backend: WebGpuBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): tf.TensorInfo | null {
  const [m, inner] = lastTwo(a, transposeA);
  const [innerB, n] = lastTwo(b, transposeB);
  if (
    a.dtype !== 'float32' ||
    b.dtype !== 'float32' ||
    inner !== innerB ||
    Math.max(a.shape.length, b.shape.length) > 5
  )
    return null;
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const product = makeOutput(backend, [...batch, m, n]);
  if (countOf(product) === 0) return product;
  if (inner === 0) {
    clear(backend, product);
    return product;
  }
  const rowsJoin = !transposeA && sizeOf(batchB) === 1; // all matrices of a, one below the other
  const shape = rowsJoin ? { m: sizeOf(batch) * m, n, inner, batch: [] } : { m, n, inner, batch };
  const operands = [
    { info: a, own: batchA, transposed: transposeA },
    { info: b, own: batchB, transposed: transposeB },
  ].map(({ info, own, transposed }) => ({
    info,
    places: padded(placesOf(rowsJoin ? [] : own, shape.batch)),
    layout: { transposed, fours: info.shape[info.shape.length - 1] % 4 === 0 },
  }));
  runProduct(backend, operands[0], operands[1], product, shape);
  return product;
}

interface Operand {
  readonly info: tf.TensorInfo;
  readonly layout: Layout;
  /** How many matrices of the operand one step along each axis of the batch skips. */
  readonly places: readonly number[];
}

interface ProductShape {
  readonly m: number;
  readonly n: number;
  readonly inner: number;
  readonly batch: readonly number[];
}

function runProduct(
  backend: WebGpuBackend,
  a: Operand,
  b: Operand,
  product: tf.TensorInfo,
  { m, n, inner, batch }: ProductShape,
): void {
  const batches = sizeOf(batch);
  const groupsOf = ({ rows, columns }: Tiling): number => batches * Math.ceil(m / rows) * Math.ceil(n / columns);
  const tiling = m <= FLAT.rows ? FLAT : groupsOf(LARGE) >= ENOUGH_GROUPS ? LARGE : SMALL;
  const wanted = Math.max(1, Math.min(Math.ceil(ENOUGH_GROUPS / groupsOf(tiling)), Math.floor(inner / MIN_PART)));
  const perPart = Math.ceil(inner / wanted / tiling.step) * tiling.step;
  const parts = Math.ceil(inner / perPart);
  const to = parts === 1 ? product : makeOutput(backend, [parts, ...product.shape]);
  const fours = n % 4 === 0;
  const sizes = padded(batch);
  const program = matMulProgram(
    tiling,
    a.layout.transposed,
    a.layout.fours,
    b.layout.transposed,
    b.layout.fours,
    fours,
  );
  runShader(backend, program, {
    reads: { a: { tensor: a.info, fours: a.layout.fours }, b: { tensor: b.info, fours: b.layout.fours } },
    writes: { product: { tensor: to, fours } },
    integers: {
      ...{
        m,
        n,
        inner,
        batches,
        parts,
        perPart,
        groups: groupsOf(tiling) * parts,
        tilesM: Math.ceil(m / tiling.rows),
        tilesN: Math.ceil(n / tiling.columns),
      },
      ...{
        size1: sizes[1],
        size2: sizes[2],
        a0: a.places[0],
        a1: a.places[1],
        a2: a.places[2],
        b0: b.places[0],
        b1: b.places[1],
        b2: b.places[2],
      },
    },
    workgroups: groupsOf(tiling) * parts,
  });
  if (parts === 1) return;
  addParts(backend, to, product, parts);
  backend.disposeData(to.dataId);
}

const sumOfParts: ShaderProgram = {
  name: 'matMul',
  workgroupSize: 64,
  body: `
    let i = group * 64 + lane;
    if (i >= u.count) { return; }
    var total = 0.0;
    for (var part = 0u; part < u.parts; part++) { total += terms[part * u.count + i]; }
    sum[i] = total;`,
};

/** Adds the parts, always in the same order. tfjs adds its parts atomically, in any order. */
function addParts(backend: WebGpuBackend, terms: tf.TensorInfo, sum: tf.TensorInfo, parts: number): void {
  const count = countOf(sum);
  runShader(backend, sumOfParts, {
    reads: { terms },
    writes: { sum },
    integers: { count, parts },
    workgroups: Math.ceil(count / 64),
  });
}

/**
 * How many matrices of an operand one step along each axis of the broadcast batch skips: 0 where the operand has a
 * single one.
 */
function placesOf(own: readonly number[], batch: readonly number[]): number[] {
  const sizes = [...new Array<number>(batch.length - own.length).fill(1), ...own];
  return sizes.map((size, axis) => (size === 1 ? 0 : sizeOf(sizes.slice(axis + 1))));
}

/** The numbers with ones before them, three in all. */
function padded(numbers: readonly number[]): number[] {
  return [...new Array<number>(3 - numbers.length).fill(1), ...numbers];
}

/** The last two sizes of a tensor, swapped if it is read transposed. */
function lastTwo({ shape }: tf.TensorInfo, transposed: boolean): [number, number] {
  const [first, second] = shape.slice(-2);
  return transposed ? [second, first] : [first, second];
}
