import * as tf from '@tensorflow/tfjs-core';
import { broadcastFirst } from './broadcast';
import { addressOf, BINARY, simdOf, UNARY } from './simd_module';
import { input, sizeOf, type KernelReplacement, type WasmBackend } from './wasm_backend';

const unaryKernels: Readonly<Record<string, number>> = {
  Exp: UNARY.exp,
  Sigmoid: UNARY.sigmoid,
  Sqrt: UNARY.sqrt,
  Rsqrt: UNARY.rsqrt,
  Square: UNARY.square,
  Neg: UNARY.neg,
};

/** Functions of one float32 number in SIMD; tfjs's are scalar, its exponential among them at 0.5 GB/s. */
export const wasmUnary: readonly KernelReplacement[] = Object.entries(unaryKernels).map(([kernelName, kind]) => ({
  kernelName,
  create: (stock) =>
    stock === undefined
      ? undefined
      : (call) => {
          const wasm = call.backend as WasmBackend;
          const x = input(call.inputs, 'x');
          const simd = simdOf(wasm);
          if (simd === null || x.dtype !== 'float32') return stock(call);
          const out = wasm.makeOutput(x.shape, 'float32');
          simd.kernels.unary(kind, sizeOf(x.shape), addressOf(wasm, x), addressOf(wasm, out));
          return out;
        },
}));

const binaryKernels: Readonly<Record<string, number>> = { Add: BINARY.add, Sub: BINARY.sub, Multiply: BINARY.mul, RealDiv: BINARY.div };

/** How a pair of shapes is walked through: `rows` lines of `n` numbers of the larger operand, against a line or a column of the smaller. */
interface Walk {
  readonly rows: number;
  readonly n: number;
  /** Whether the second operand is the larger one. */
  readonly turned: boolean;
  /** Whether the smaller operand has one number for each line. */
  readonly byColumn: boolean;
}

/** Sums, differences, products and quotients of float32 in SIMD: of equal shapes, and of one with a row, a column or a number of it. */
export const wasmBinary: readonly KernelReplacement[] = Object.entries(binaryKernels).map(([kernelName, kind]) => ({
  kernelName,
  create: (stock) => {
    if (stock === undefined) return undefined;
    const others = broadcastFirst(stock, true);
    return (call) => {
      const wasm = call.backend as WasmBackend;
      const a = input(call.inputs, 'a');
      const b = input(call.inputs, 'b');
      const simd = simdOf(wasm);
      if (simd === null || a.dtype !== 'float32' || b.dtype !== 'float32') return others(call);
      const walk = walkOf(a.shape, b.shape);
      if (walk === null) return others(call);
      const out = wasm.makeOutput(tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape), 'float32');
      const [large, small] = walk.turned ? [b, a] : [a, b];
      simd.kernels.binary(kind, walk.rows, walk.n, addressOf(wasm, large), addressOf(wasm, small), addressOf(wasm, out), walk.turned, walk.byColumn);
      return out;
    };
  },
}));

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
    return { rows: size / n, n, turned, byColumn: false }; // repeated as one block
  }
  const last = padded.findLastIndex((n) => n !== 1);
  if (padded.every((n, axis) => axis > last || n === large[axis])) return { rows: sizeOf(padded), n: size / sizeOf(padded), turned, byColumn: true };
  return null;
}
