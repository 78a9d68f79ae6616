import * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from '../kernel';
import type { WebGpuBackend } from './webgpu_backend';

type Numbers = Float32Array | Int32Array;

interface Result {
  readonly shape: number[];
  readonly dtype: 'float32' | 'int32';
  readonly values: Numbers;
}

/** Backends that keep integers readable already. */
const done = new WeakSet<object>();

/**
 * Keeps the CPU's copy of integers that came from the CPU, so that they can be read synchronously: the loss reads its
 * labels so, and the reward its token ids. tfjs's webgpu backend drops the copy at upload, and what is on the device
 * can only be awaited. Operations on such integers alone, such as cutting batches in `fit`, run on the CPU. That also
 * avoids tfjs's shaders that are wrong for int32.
 *
 * @param isOn whether our kernels are registered now.
 */
export function keepIntegersReadable(backend: WebGpuBackend, isOn: () => boolean): void {
  if (done.has(backend)) return;
  done.add(backend);
  const upload = backend.uploadToGPU.bind(backend);
  backend.uploadToGPU = (dataId) => {
    const data = backend.tensorMap.get(dataId);
    // a copy: the program may change its array later
    const own = isOn() && data.dtype === 'int32' ? data.values?.slice() : null;
    upload(dataId);
    if (own != null) data.values = own;
  };
  const isReadable = ({ dtype, dataId }: tf.TensorInfo): boolean =>
    dtype === 'int32' && backend.tensorMap.get(dataId).values != null;
  const runsOnCpu = backend.shouldExecuteOnCPU.bind(backend);
  backend.shouldExecuteOnCPU = (inputs, sizeThreshold) =>
    (isOn() && inputs.every(isReadable)) || runsOnCpu(inputs, sizeThreshold);
}

/**
 * A kernel that runs on the CPU if its input is on the CPU only. tfjs's kernel runs if the input is on the device or
 * `compute` returns null.
 */
function onCpu(
  kernelName: string,
  compute: (x: tf.TensorInfo, values: Numbers, attrs: Record<string, unknown>) => Result | null,
): KernelReplacement {
  return {
    kernelName,
    create: (stock) =>
      stock === undefined
        ? undefined
        : (call) => {
            const backend = call.backend as unknown as WebGpuBackend;
            const x = input(call.inputs, 'x');
            const { values, resource } = backend.tensorMap.get(x.dataId);
            const result = values == null || resource != null ? null : compute(x, values, call.attrs ?? {});
            return result === null ? stock(call) : backend.makeTensorInfo(result.shape, result.dtype, result.values);
          },
  };
}

/** `fit` takes the row numbers of a batch as a slice of a float vector, cast to integers. */
export const readableIndices: readonly KernelReplacement[] = [
  onCpu('Cast', (x, values, { dtype }) =>
    dtype === 'int32' && x.dtype === 'float32' ? { shape: [...x.shape], dtype, values: Int32Array.from(values) } : null,
  ),
  onCpu('Slice', (x, values, { begin, size }) => {
    if (x.shape.length !== 1 || x.dtype !== 'float32') return null;
    const [[from], shape] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin as number[], size as number[]);
    tf.slice_util.assertParamsValid(x as tf.Tensor, [from], shape);
    return { shape, dtype: 'float32', values: values.slice(from, from + shape[0]) };
  }),
];
