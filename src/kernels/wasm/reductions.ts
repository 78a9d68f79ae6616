import * as tf from '@tensorflow/tfjs-core';
import { type KernelReplacement, sizeOf } from '../kernel';
import type { SimdKernels } from './simd_module';
import { simdReplacement } from './simd_replacement';

/** A tensor as [groups, reduced, inner], where the middle axis is summed over. */
interface Reduction {
  readonly groups: number;
  readonly reduced: number;
  readonly inner: number;
  readonly outShape: number[];
}

/** Sums, means and maxima of float32 over neighbouring axes in SIMD. tfjs transposes the tensor first. */
export const wasmReductions: readonly KernelReplacement[] = ['Sum', 'Mean', 'Max'].map((kernelName) =>
  simdReplacement(kernelName, ({ wasm, kernels, input, address, attrs }) => {
    const x = input('x');
    if (x.dtype !== 'float32') return null;
    const { axis, reductionIndices, keepDims } = attrs as {
      axis?: number | number[];
      reductionIndices?: number | number[];
      keepDims?: boolean;
    };
    const reduction = reductionOf(x.shape, axis ?? reductionIndices ?? x.shape.map((_, i) => i), keepDims === true);
    if (reduction === null || (kernelName === 'Max' && reduction.inner !== 1 && sizeOf(x.shape) > 0)) return null;
    const out = wasm.makeOutput(reduction.outShape, 'float32');
    if (sizeOf(x.shape) === 0)
      wasm.typedArrayFromHeap(out).fill(kernelName === 'Max' ? NaN : 0); // as on cpu; tfjs's leaves it unwritten
    else reduce(kernels, kernelName, reduction, address(x), address(out));
    return out;
  }),
);

function reduce(
  kernels: SimdKernels,
  kernelName: string,
  { groups, reduced, inner }: Reduction,
  x: number,
  out: number,
): void {
  const divisor = kernelName === 'Mean' ? reduced : 1;
  if (kernelName === 'Max') kernels.rowMax(groups, reduced, x, out);
  else if (inner === 1) kernels.rowSum(groups, reduced, x, out, divisor);
  else kernels.columnSum(groups, reduced, inner, x, out, divisor);
}

/** Null if there are no axes, or if they are not neighbours and there is something to reduce. */
function reductionOf(shape: readonly number[], axis: number | readonly number[], keepDims: boolean): Reduction | null {
  const axes = tf.util.parseAxisParam(axis as number[], shape as number[]).sort((a, b) => a - b);
  if (axes.length === 0 || (sizeOf(shape) > 0 && axes.some((each, i) => each !== axes[0] + i))) return null;
  const end = axes[0] + axes.length;
  return {
    groups: sizeOf(shape.slice(0, axes[0])),
    reduced: sizeOf(shape.slice(axes[0], end)),
    inner: sizeOf(shape.slice(end)),
    outShape: shape.flatMap((n, i) => (!axes.includes(i) ? [n] : keepDims ? [1] : [])),
  };
}
