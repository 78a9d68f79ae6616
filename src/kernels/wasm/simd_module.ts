import { SIMD_BINARIES } from './simd_binary';
import type { WasmBackend } from './wasm_backend';

/** Functions of one number, by their numbers in assembly/elementwise.ts. */
export const UNARY = { exp: 0, sigmoid: 1, sqrt: 2, rsqrt: 3, square: 4, neg: 5 } as const;
/** Functions of two numbers, by their numbers in assembly/elementwise.ts. */
export const BINARY = { add: 0, sub: 1, mul: 2, div: 3 } as const;

/** The kernels of assembly/, where every array is an address on the backend's heap. */
export interface SimdKernels {
  gemm(
    m: number,
    n: number,
    k: number,
    a: number,
    aRow: number,
    aColumn: number,
    b: number,
    bRow: number,
    bColumn: number,
    c: number,
    cRow: number,
    accumulate: boolean,
    scratch: number,
  ): void;
  gemmScratchBytes(): number;
  unary(kind: number, n: number, x: number, y: number): void;
  binary(
    kind: number,
    rows: number,
    n: number,
    a: number,
    b: number,
    y: number,
    turned: boolean,
    byColumn: boolean,
  ): void;
  rowMax(rows: number, n: number, x: number, out: number): void;
  rowSum(rows: number, n: number, x: number, out: number, divisor: number): void;
  columnSum(groups: number, rows: number, n: number, x: number, out: number, divisor: number): void;
  softmax(rows: number, n: number, x: number, y: number): void;
  softmaxGradient(rows: number, n: number, y: number, dy: number, dx: number): void;
  onlineSoftmax(
    rows: number,
    n: number,
    x: number,
    largest: number,
    sums: number,
    e: number,
    newLargest: number,
    newSums: number,
    factors: number,
  ): void;
  penalise(
    rows: number,
    n: number,
    logits: number,
    blended: number,
    known: number,
    alpha: number,
    kind: number,
    raised: number,
    growth: number,
    sums: number,
  ): void;
  penaliseFirstOrder(
    rows: number,
    n: number,
    logits: number,
    blended: number,
    known: number,
    kind: number,
    factors: number,
    sums: number,
  ): void;
  copyLines(count: number, from: number, fromStep: number, to: number, toStep: number, bytes: number): void;
  gatherLines(count: number, x: number, ids: number, bytes: number, out: number): void;
  sumLines(count: number, x: number, ids: number, n: number, out: number, numSegments: number, seen: number): void;
  swapAxes(groups: number, a: number, b: number, n: number, x: number, y: number): void;
  rmsNorm(rows: number, n: number, x: number, weight: number, epsilon: number, y: number, inverse: number): void;
  rmsNormGradient(
    rows: number,
    n: number,
    x: number,
    weight: number,
    inverse: number,
    dy: number,
    dx: number,
    dw: number,
  ): void;
  rotate(
    groups: number,
    tableGroups: number,
    rows: number,
    size: number,
    x: number,
    cos: number,
    sin: number,
    sign: number,
    y: number,
  ): void;
  gate(rows: number, n: number, x: number, y: number): void;
  gateGradient(rows: number, n: number, x: number, dy: number, dx: number): void;
  adamw(
    n: number,
    w: number,
    m: number,
    v: number,
    gradient: number,
    out: number,
    b1: number,
    c1: number,
    b2: number,
    c2: number,
    stepSize: number,
    secondScale: number,
    epsilon: number,
    keep: number,
  ): void;
}

/** The kernels of one backend, and scratch memory for its products. */
export interface Simd {
  readonly kernels: SimdKernels;
  readonly scratch: number;
  /** Whether tfjs's own kernels run on several threads. */
  readonly threaded: boolean;
}

/** By tfjs's WebAssembly module; null where it has no SIMD kernels. */
const instances = new WeakMap<object, Simd | null>();

/**
 * The SIMD kernels on the memory of a wasm backend, instantiated at the first call.
 *
 * @returns null if the machine has no SIMD or the backend's package does not export its memory; tfjs's own kernels are
 *   used then.
 */
export function simdOf(wasm: WasmBackend): Simd | null {
  let simd = instances.get(wasm.wasm);
  if (simd === undefined) {
    simd = instantiate(wasm.wasm);
    instances.set(wasm.wasm, simd);
  }
  return simd;
}

/** The address of a tensor's numbers on the heap. */
export function addressOf(wasm: WasmBackend, { dataId }: { dataId: object }): number {
  return wasm.dataIdMap.get(dataId).memoryOffset;
}

function instantiate(module: WasmBackend['wasm']): Simd | null {
  const memory = module.asm?.memory ?? module.wasmMemory;
  if (!(memory instanceof WebAssembly.Memory) || module._malloc === undefined) return null;
  const threaded = typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
  const binary = [
    threaded ? SIMD_BINARIES.sharedRelaxed : SIMD_BINARIES.relaxed,
    threaded ? SIMD_BINARIES.shared : SIMD_BINARIES.plain,
  ]
    .map(fromBase64)
    .find((bytes) => WebAssembly.validate(bytes));
  if (binary === undefined) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } });
  const kernels = exports as unknown as SimdKernels;
  return { kernels, scratch: module._malloc(kernels.gemmScratchBytes()), threaded };
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
