import * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement } from '../kernel';
import type { WebGpuBackend } from './webgpu_backend';

type Numbers = Float32Array | Int32Array;

interface Result {
  readonly shape: number[];
  readonly dtype: 'float32' | 'int32';
  readonly values: Numbers;
}

const done = new WeakSet<object>();

/**
 * Lets integers that came from the CPU be read at once, as the loss reads its labels and the reward its token ids: tfjs's webgpu backend forgets them
 * when they are uploaded, and can only await what is on the device. What is computed of such integers alone (the batches that `fit` cuts out) is computed
 * on the CPU, which also passes by tfjs's shaders that are wrong for int32.
 *
 * @param isOn whether it is switched on.
 */
export function keepIntegersReadable(backend: WebGpuBackend, isOn: () => boolean): void {
  if (done.has(backend)) return;
  done.add(backend);
  const upload = backend.uploadToGPU.bind(backend);
  backend.uploadToGPU = (dataId) => {
    const data = backend.tensorMap.get(dataId);
    const own = isOn() && data.dtype === 'int32' ? data.values?.slice() : null; // the array may be a program's, which fills it anew
    upload(dataId);
    if (own != null) data.values = own;
  };
  const isReadable = ({ dtype, dataId }: tf.TensorInfo): boolean =>
    dtype === 'int32' && backend.tensorMap.get(dataId).values != null;
  const runsOnCpu = backend.shouldExecuteOnCPU.bind(backend);
  backend.shouldExecuteOnCPU = (inputs, sizeThreshold) =>
    (isOn() && inputs.every(isReadable)) || runsOnCpu(inputs, sizeThreshold);
}

/** A kernel that gives a result on the CPU where its input's numbers are there alone, and tfjs's where they are on the device or `compute` gives null. */
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

/** Parts of vectors, and integers of floats: the numbers of the rows that `fit` takes are a part of a vector of floats, made integers. */
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
