import type * as tf from '@tensorflow/tfjs-core';
import { biasGradient } from './head_factors';
import { type DeviceHead, sizesOf } from './head_parts';
import { forEachTile } from './head_reading';
import { putTileGradient, tileLogits } from './head_tile';
import { makeOutput, runShader } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

export interface LogProbGradient {
  readonly width: number;
  /** Label, log sum e^z and incoming gradient of each row, [R, 3]. */
  readonly known: tf.TensorInfo;
  readonly trains: { readonly weight: boolean; readonly bias: boolean };
}

/**
 * Gradient of a head by the log-probabilities of the rows' labels, in one reading.
 *
 * @param hidden [R, D].
 * @returns the gradients of weight and bias, as far as they are trained.
 */
export function logProbGradient(
  backend: WebGpuBackend,
  head: DeviceHead,
  hidden: tf.TensorInfo,
  { width, known, trains }: LogProbGradient,
): tf.TensorInfo[] {
  const [numRows] = hidden.shape;
  const weight = trains.weight ? makeOutput(backend, head.weight.shape) : null;
  const bias = trains.bias ? makeOutput(backend, [sizesOf(head).vocabSize]) : null;
  forEachTile(backend, head, width, numRows, (tile, logits) => {
    const { start, size } = tile;
    tileLogits(backend, tile, hidden, logits);
    logProbFactors(backend, logits, known, numRows, start, size);
    if (weight !== null) putTileGradient(backend, tile, weight, logits, hidden, 0, numRows);
    if (bias !== null) biasGradient(backend, logits, 0, numRows, start, size, bias);
  });
  return [weight, bias].filter((gradient) => gradient !== null);
}

/** Replaces a tile's logits by their gradient: the row's incoming gradient times (1 at the label - p). */
function logProbFactors(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  known: tf.TensorInfo,
  numRows: number,
  start: number,
  size: number,
): void {
  const count = numRows * size;
  runShader(backend, {
    name: 'ILRecLogProbFactors',
    reads: { known },
    writes: { logits },
    integers: { count, start, size },
    workgroupSize: 256,
    workgroups: Math.ceil(count / 256),
    body: `
      let place = group * 256u + lane;
      if (place >= u.count) { return; }
      let row = 3u * (place / u.size);
      var slope = -exp(logits[place] - known[row + 1u]);
      if (f32(u.start + place % u.size) == known[row]) { slope += 1.0; }
      logits[place] = known[row + 2u] * slope;`,
  });
}
