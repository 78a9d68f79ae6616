import type * as tf from '@tensorflow/tfjs-core';
import { halfOf, input, rowsOf, sizeOf, type KernelReplacement } from '../kernel';
import { addressOf, type Simd, type SimdKernels, simdOf } from './simd_module';
import { sharing, type WasmBackend } from './wasm_backend';

/** What a kernel of ours works with. */
interface Call {
  readonly kernels: SimdKernels;
  readonly scratch: number;
  input(name: string): tf.TensorInfo;
  address(info: tf.TensorInfo): number;
  output(shape: readonly number[]): tf.TensorInfo;
  /** The tensor itself if nothing else holds it, else a copy. */
  writable(info: tf.TensorInfo): tf.TensorInfo;
  attr(name: string): number;
}

/**
 * A kernel that tfjs does not have. The operation of src/ops that uses it says what it computes, and composes it on
 * backends without it.
 */
function fused(kernelName: string, compute: (call: Call) => tf.TensorInfo | tf.TensorInfo[]): KernelReplacement {
  return {
    kernelName,
    create:
      () =>
      ({ inputs, attrs, backend }) => {
        const wasm = backend as WasmBackend;
        const { kernels, scratch } = simdOf(wasm) as Simd;
        return compute({
          kernels,
          scratch,
          input: (name) => input(inputs, name),
          address: (info) => addressOf(wasm, info),
          output: (shape) => wasm.makeOutput([...shape], 'float32'),
          writable: (info) => (wasm.refCount(info.dataId) === 1 ? sharing(wasm, info) : copyOf(wasm, info)),
          attr: (name) => attrs?.[name] as number,
        });
      },
  };
}

function copyOf(wasm: WasmBackend, info: tf.TensorInfo): tf.TensorInfo {
  const copy = wasm.makeOutput([...info.shape], info.dtype);
  wasm.typedArrayFromHeap(copy).set(wasm.typedArrayFromHeap(info));
  return copy;
}

const rmsNorm = fused('ILRecRmsNorm', ({ kernels, input, address, output, attr }) => {
  const x = input('x');
  const [rows, n] = rowsOf(x);
  const [y, inverse] = [output(x.shape), output([rows, 1])];
  kernels.rmsNorm(rows, n, address(x), address(input('weight')), attr('epsilon'), address(y), address(inverse));
  return [y, inverse];
});

const rmsNormGradient = fused('ILRecRmsNormGrad', ({ kernels, input, address, output }) => {
  const x = input('x');
  const [rows, n] = rowsOf(x);
  const [dx, dw] = [output(x.shape), output([n])];
  kernels.rmsNormGradient(
    rows,
    n,
    address(x),
    address(input('weight')),
    address(input('inverse')),
    address(input('dy')),
    address(dx),
    address(dw),
  );
  return [dx, dw];
});

const rotate = fused('ILRecRotate', ({ kernels, input, address, output, attr }) => {
  const [x, cos, sin] = [input('x'), input('cos'), input('sin')];
  const size = 2 * halfOf(x, 'applyRotary');
  const rows = x.shape.length > 1 ? x.shape[x.shape.length - 2] : 1;
  const y = output(x.shape);
  if (sizeOf(x.shape) === 0) return y;
  const perTable = rows * size;
  kernels.rotate(
    sizeOf(x.shape) / perTable,
    sizeOf(cos.shape) / perTable,
    rows,
    size,
    address(x),
    address(cos),
    address(sin),
    attr('sign'),
    address(y),
  );
  return y;
});

const gate = fused('ILRecGate', ({ kernels, input, address, output }) => {
  const x = input('x');
  const [rows] = rowsOf(x);
  const n = halfOf(x, 'gated');
  const y = output([...x.shape.slice(0, -1), n]);
  kernels.gate(rows, n, address(x), address(y));
  return y;
});

const gateGradient = fused('ILRecGateGrad', ({ kernels, input, address, output }) => {
  const x = input('x');
  const [rows, n] = rowsOf(x);
  const dx = output(x.shape);
  kernels.gateGradient(rows, n / 2, address(x), address(input('dy')), address(dx));
  return dx;
});

const softmaxGradient = fused('ILRecSoftmaxGrad', ({ kernels, input, address, output }) => {
  const y = input('y');
  const [rows, n] = rowsOf(y);
  const dx = output(y.shape);
  kernels.softmaxGradient(rows, n, address(y), address(input('dy')), address(dx));
  return dx;
});

/**
 * Writes over moments that nothing else holds. A weight gets new memory: tfjs's products cache a packed copy under a
 * tensor's id, which would be stale.
 */
const adamw = fused('ILRecAdamW', ({ kernels, input, address, output, writable, attr }) => {
  const numbers = ['beta1', 'beta2', 'stepSize', 'secondScale', 'epsilon', 'keep'] as const;
  const [beta1, beta2, stepSize, secondScale, epsilon, keep] = numbers.map(attr);
  const weight = input('weight');
  const outputs = [output(weight.shape), writable(input('first')), writable(input('second'))];
  const [out, m, v] = outputs.map(address);
  kernels.adamw(
    sizeOf(weight.shape),
    address(weight),
    m,
    v,
    address(input('gradient')),
    out,
    beta1,
    1 - beta1,
    beta2,
    1 - beta2,
    stepSize,
    secondScale,
    epsilon,
    keep,
  );
  return outputs;
});

const onlineSoftmax = fused('ILRecOnlineSoftmax', ({ kernels, input, address, output }) => {
  const x = input('x');
  const [rows, n] = rowsOf(x);
  const outputs = [output(x.shape), output([rows, 1]), output([rows, 1]), output([rows, 1])];
  const [e, largest, sums, factors] = outputs.map(address);
  kernels.onlineSoftmax(
    rows,
    n,
    address(x),
    address(input('largest')),
    address(input('sums')),
    e,
    largest,
    sums,
    factors,
  );
  return outputs;
});

const penalise = fused('ILRecPenalise', ({ kernels, input, address, output, attr }) => {
  const logits = input('logits');
  const [rows, n] = rowsOf(logits);
  const [raised, growth, sums] = [output(logits.shape), output(logits.shape), output([rows, 3])];
  kernels.penalise(
    rows,
    n,
    address(logits),
    address(input('blended')),
    address(input('known')),
    attr('penaltyWeight'),
    attr('kind'),
    address(raised),
    address(growth),
    address(sums),
  );
  return [raised, growth, sums];
});

const penaliseFirstOrder = fused('ILRecPenaliseFirstOrder', ({ kernels, input, address, output, attr }) => {
  const logits = input('logits');
  const [rows, n] = rowsOf(logits);
  const [factors, sums] = [output(logits.shape), output([rows, 6])];
  kernels.penaliseFirstOrder(
    rows,
    n,
    address(logits),
    address(input('blended')),
    address(input('known')),
    attr('kind'),
    address(factors),
    address(sums),
  );
  return [factors, sums];
});

/** Logits of the tokens from `start` on: hidden states times a part of the head, which is not copied. */
const tileLogits = fused('ILRecTileLogits', ({ kernels, scratch, input, address, output, attr }) => {
  const [hidden, weight] = [input('hidden'), input('weight')];
  const [rows, inner] = hidden.shape;
  const [start, size, inRows] = [attr('start'), attr('size'), attr('inRows')];
  const out = output([rows, size]);
  const columns = weight.shape[1];
  const [from, step, across] = inRows === 1 ? [start * inner, 1, inner] : [start, columns, 1];
  kernels.gemm(
    rows,
    size,
    inner,
    address(hidden),
    inner,
    1,
    address(weight) + 4 * from,
    step,
    across,
    address(out),
    size,
    false,
    scratch,
  );
  return out;
});

/** Sums of the rows of a part of the head, each with its factor. */
const tileSums = fused('ILRecTileSums', ({ kernels, scratch, input, address, output, attr }) => {
  const [factors, weight] = [input('factors'), input('weight')];
  const [rows, size] = factors.shape;
  const [start, inRows] = [attr('start'), attr('inRows')];
  const inner = weight.shape[inRows];
  const out = output([rows, inner]);
  const columns = weight.shape[1];
  const [from, step, across] = inRows === 1 ? [start * inner, inner, 1] : [start, 1, columns];
  kernels.gemm(
    rows,
    inner,
    size,
    address(factors),
    size,
    1,
    address(weight) + 4 * from,
    step,
    across,
    address(out),
    inner,
    false,
    scratch,
  );
  return out;
});

/** Kernels that tfjs does not have, for machines with SIMD. */
export const wasmFused: readonly KernelReplacement[] = [
  rmsNorm,
  rmsNormGradient,
  rotate,
  gate,
  gateGradient,
  softmaxGradient,
  adamw,
  onlineSoftmax,
  penalise,
  penaliseFirstOrder,
  tileLogits,
  tileSums,
];
