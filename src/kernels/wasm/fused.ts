import type * as tf from '@tensorflow/tfjs-core';
import { addressOf, type Simd, type SimdKernels, simdOf } from './simd_module';
import { input, sizeOf, type KernelReplacement, type WasmBackend } from './wasm_backend';

/** What a fused kernel works with. */
interface Call {
  readonly kernels: SimdKernels;
  input(name: string): tf.TensorInfo;
  address(info: tf.TensorInfo): number;
  output(shape: readonly number[]): tf.TensorInfo;
  /** The tensor itself where this is its only holder, else a copy. */
  writable(info: tf.TensorInfo): tf.TensorInfo;
  attr(name: string): number;
}

/** A kernel that tfjs does not have; the operations of src/ops that use it say what it computes, and compose it where it is absent. */
function fused(kernelName: string, compute: (call: Call) => tf.TensorInfo | tf.TensorInfo[]): KernelReplacement {
  return {
    kernelName,
    create: () => ({ inputs, attrs, backend }) => {
      const wasm = backend as WasmBackend;
      const { kernels } = simdOf(wasm) as Simd;
      return compute({
        kernels,
        input: (name) => input(inputs, name),
        address: (info) => addressOf(wasm, info),
        output: (shape) => wasm.makeOutput([...shape], 'float32'),
        writable: (info) => (wasm.refCount(info.dataId) === 1 ? shared(wasm, info) : copyOf(wasm, info)),
        attr: (name) => attrs?.[name] as number,
      });
    },
  };
}

function shared(wasm: WasmBackend, { dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo {
  wasm.incRef(dataId);
  return { dataId, shape, dtype };
}

function copyOf(wasm: WasmBackend, info: tf.TensorInfo): tf.TensorInfo {
  const copy = wasm.makeOutput([...info.shape], info.dtype);
  wasm.typedArrayFromHeap(copy).set(wasm.typedArrayFromHeap(info));
  return copy;
}

/** Rows and their length. */
function rowsOf({ shape }: tf.TensorInfo): [number, number] {
  const n = shape[shape.length - 1];
  return [n === 0 ? 0 : sizeOf(shape) / n, n];
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
  kernels.rmsNormGradient(rows, n, address(x), address(input('weight')), address(input('inverse')), address(input('dy')), address(dx), address(dw));
  return [dx, dw];
});

const rotate = fused('ILRecRotate', ({ kernels, input, address, output, attr }) => {
  const [x, cos, sin] = [input('x'), input('cos'), input('sin')];
  const [rows, size] = x.shape.slice(-2);
  const y = output(x.shape);
  const perTable = rows * size;
  kernels.rotate(sizeOf(x.shape) / perTable, sizeOf(cos.shape) / perTable, rows, size, address(x), address(cos), address(sin), attr('sign'), address(y));
  return y;
});

const gate = fused('ILRecGate', ({ kernels, input, address, output }) => {
  const x = input('x');
  const [rows, n] = rowsOf(x);
  const y = output([...x.shape.slice(0, -1), n / 2]);
  kernels.gate(rows, n / 2, address(x), address(y));
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

/** Written over its inputs where nothing else holds them. */
const adamw = fused('ILRecAdamW', ({ kernels, input, address, writable, attr }) => {
  const numbers = ['beta1', 'beta2', 'stepSize', 'secondScale', 'epsilon', 'keep'] as const;
  const [beta1, beta2, stepSize, secondScale, epsilon, keep] = numbers.map(attr);
  const outputs = ['weight', 'first', 'second'].map((name) => writable(input(name)));
  const [w, m, v] = outputs.map(address);
  kernels.adamw(sizeOf(outputs[0].shape), w, m, v, address(input('gradient')), beta1, 1 - beta1, beta2, 1 - beta2, stepSize, secondScale, epsilon, keep);
  return outputs;
});

const onlineSoftmax = fused('ILRecOnlineSoftmax', ({ kernels, input, address, output }) => {
  const x = input('x');
  const [rows, n] = rowsOf(x);
  const [e, after] = [output(x.shape), output([rows, 3])];
  kernels.onlineSoftmax(rows, n, address(x), address(input('before')), address(e), address(after));
  return [e, after];
});

/** Registered where the machine has SIMD. */
export const wasmFused: readonly KernelReplacement[] = [rmsNorm, rmsNormGradient, rotate, gate, gateGradient, softmaxGradient, adamw, onlineSoftmax];
