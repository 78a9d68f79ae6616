/**
 * Runs every kernel of the given forms of the binary on the same numbers and prints the results as JSON: `run_form.ts
 * FORM ...`; null for a form that the machine refuses.
 */
import { SIMD_BINARIES } from '../../../src/kernels/wasm/simd_binary';
import { BINARY, type SimdKernels, UNARY } from '../../../src/kernels/wasm/simd_module';
import { normals } from '../../support/random';

export type Form = keyof typeof SIMD_BINARIES;

export function bytesOf(form: Form): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(SIMD_BINARIES[form], 'base64'));
}

/** Of the kind that the form works on; shared memory as threaded tfjs makes it. */
export function memoryOf(form: Form): WebAssembly.Memory {
  return new WebAssembly.Memory(
    form.startsWith('shared') ? { initial: 64, maximum: 65536, shared: true } : { initial: 64 },
  );
}

export function instantiate(form: Form, memory: WebAssembly.Memory): SimdKernels {
  return new WebAssembly.Instance(new WebAssembly.Module(bytesOf(form)), { env: { memory } })
    .exports as unknown as SimdKernels;
}

const [ROWS, N, K] = [5, 13, 37]; // [ROWS, N] is what most kernels work on
const SIZE = ROWS * K; // of each operand, the largest any kernel takes

/** Results by kernel, from operands of normal numbers. */
export function runForm(form: Form): Record<string, number[]> {
  const memory = memoryOf(form);
  const kernels = instantiate(form, memory);
  const results: Record<string, number[]> = {};
  const at = (operand: number): number => 65536 + 4 * SIZE * 5 * operand;
  const view = (operand: number, size: number): Float32Array => new Float32Array(memory.buffer, at(operand), size);
  const [x, y, z, w, out, second, scratch] = [0, 1, 2, 3, 4, 5, 6].map(at);
  function record(name: string, size: number, run: () => void, operand = 4): void {
    for (const seed of [0, 1, 2, 3]) view(seed, SIZE * 3).set(normals(SIZE * 3, seed + 1));
    for (const empty of [4, 5]) view(empty, SIZE * 5).fill(0);
    run();
    results[name] = [...view(operand, size)];
  }
  const whole = ROWS * N;
  for (const [name, kind] of Object.entries(UNARY)) record(name, whole, () => kernels.unary(kind, whole, x, out));
  for (const [name, kind] of Object.entries(BINARY))
    record(name, whole, () => kernels.binary(kind, ROWS, N, x, y, out, false, false));
  record('gemm', whole, () => kernels.gemm(ROWS, N, K, x, K, 1, y, N, 1, out, N, false, scratch));
  record('gemm, dots', whole, () => kernels.gemm(ROWS, N, K, x, K, 1, y, 1, K, out, N, false, scratch));
  record('rowMax', ROWS, () => kernels.rowMax(ROWS, N, x, out));
  record('rowSum', ROWS, () => kernels.rowSum(ROWS, N, x, out, N));
  record('columnSum', N, () => kernels.columnSum(1, ROWS, N, x, out, ROWS));
  record('softmax', whole, () => kernels.softmax(ROWS, N, x, out));
  record('softmaxGradient', whole, () => kernels.softmaxGradient(ROWS, N, x, y, out));
  record('onlineSoftmax', whole, () => kernels.onlineSoftmax(ROWS, N, x, y, z, out, second, second + 32, second + 64));
  record(
    'onlineSoftmax, sums',
    16 + ROWS,
    () => kernels.onlineSoftmax(ROWS, N, x, y, z, out, second, second + 32, second + 64),
    5,
  );
  record('penaliseFirstOrder', whole, () => kernels.penaliseFirstOrder(ROWS, N, x, y, z, 0, out, second));
  record('copyLines', whole, () => kernels.copyLines(ROWS, x, 4 * N, out, 4 * N, 4 * N));
  record('swapAxes', whole, () => kernels.swapAxes(1, ROWS, N, 1, x, out));
  record('rmsNorm', whole, () => kernels.rmsNorm(ROWS, N, x, y, 0.01, out, second));
  record('rmsNormGradient', whole, () => kernels.rmsNormGradient(ROWS, N, x, y, z, w, out, second));
  record('rmsNormGradient, weight', N, () => kernels.rmsNormGradient(ROWS, N, x, y, z, w, out, second), 5);
  record('rotate', ROWS * 10, () => kernels.rotate(1, 1, ROWS, 10, x, y, z, -1, out));
  record('gate', whole, () => kernels.gate(ROWS, N, x, out));
  record('gateGradient', 2 * whole, () => kernels.gateGradient(ROWS, N, x, y, out));
  record('adamw', whole, () => kernels.adamw(whole, x, y, second, z, out, 0.9, 0.1, 0.99, 0.01, 0.1, 2, 1e-3, 0.9));
  record('penalise', whole, () => kernels.penalise(ROWS, N, x, y, z, 0.5, 0, out, second, w));
  return results;
}

if (process.argv[1]?.endsWith('run_form.ts')) {
  const forms = process.argv.slice(2) as Form[];
  console.log(JSON.stringify(forms.map((form) => (WebAssembly.validate(bytesOf(form)) ? runForm(form) : null))));
}
