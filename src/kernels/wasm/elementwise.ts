import * as tf from '@tensorflow/tfjs-core';
import { type KernelReplacement, sizeOf } from '../kernel';
import { broadcastFirst } from './broadcast';
import { BINARY, UNARY } from './simd_module';
import { simdReplacement } from './simd_replacement';

const unaryKernels: Readonly<Record<string, number>> = {
  Exp: UNARY.exp,
  Sigmoid: UNARY.sigmoid,
  Sqrt: UNARY.sqrt,
  Rsqrt: UNARY.rsqrt,
  Square: UNARY.square,
  Neg: UNARY.neg,
};

/** Functions of one float32 number in SIMD. tfjs's are scalar: its exponential reads 0.5 GB/s. */
export const wasmUnary: readonly KernelReplacement[] = Object.entries(unaryKernels).map(([kernelName, kind]) =>
  simdReplacement(kernelName, ({ wasm, kernels, input, address }) => {
    const x = input('x');
    if (x.dtype !== 'float32') return null;
    const out = wasm.makeOutput(x.shape, 'float32');
    kernels.unary(kind, sizeOf(x.shape), address(x), address(out));
    return out;
  }),
);

const binaryKernels: Readonly<Record<string, number>> = {
  Add: BINARY.add,
  Sub: BINARY.sub,
  Multiply: BINARY.mul,
  RealDiv: BINARY.div,
};

/**
 * How two shapes are combined: `rows` lines of `n` numbers of the larger operand, each with the whole of the smaller
 * one or with one number of it.
 */
interface Walk {
  readonly rows: number;
  readonly n: number;
  /** Whether the second operand is the larger one. */
  readonly turned: boolean;
  /** Whether each line is combined with one number of the smaller operand. */
  readonly byColumn: boolean;
}

/**
 * Sums, differences, products and quotients of float32 in SIMD, for equal shapes and where one operand is a number, a
 * row or a column of the other.
 */
export const wasmBinary: readonly KernelReplacement[] = Object.entries(binaryKernels).map(([kernelName, kind]) =>
  simdReplacement(
    kernelName,
    ({ wasm, kernels, input, address }) => {
      const [a, b] = [input('a'), input('b')];
      const walk = a.dtype === 'float32' && b.dtype === 'float32' ? walkOf(a.shape, b.shape) : null;
      if (walk === null) return null;
      const out = wasm.makeOutput(tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape), 'float32');
      const [large, small] = walk.turned ? [b, a] : [a, b];
      kernels.binary(kind, walk.rows, walk.n, address(large), address(small), address(out), walk.turned, walk.byColumn);
      return out;
    },
    (stock) => broadcastFirst(stock, true),
  ),
);

function walkOf(a: readonly number[], b: readonly number[]): Walk | null {
  const turned = sizeOf(b) > sizeOf(a);
  const [large, small] = turned ? [b, a] : [a, b];
  if (small.length > large.length) return null;
  const size = sizeOf(large);
  if (size === 0) return null;
  const padded = [...new Array<number>(large.length - small.length).fill(1), ...small];
  if (padded.some((n, axis) => n !== large[axis] && n !== 1)) return null;
  const first = padded.findIndex((n) => n !== 1);
  if (first < 0) return { rows: 1, n: size, turned, byColumn: true };
  if (padded.every((n, axis) => axis < first || n === large[axis])) {
    const n = sizeOf(padded);
    return { rows: size / n, n, turned, byColumn: false }; // all of it, for each line
  }
  const last = padded.findLastIndex((n) => n !== 1);
  if (padded.every((n, axis) => axis > last || n === large[axis]))
    return { rows: sizeOf(padded), n: size / sizeOf(padded), turned, byColumn: true };
  return null;
}
