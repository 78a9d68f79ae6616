import type * as tf from '@tensorflow/tfjs-core';
import { putBiasGradient } from './factors';
import { type DeviceHead, sizesOf } from './parts';
import { forEachTile } from './reading';
import { putTileGradient, tileLogits } from './tile';
import { makeOutput, runShader } from '../shader';
import type { ShaderProgram } from '../shader_program';
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
    putLogProbFactors(backend, logits, known, numRows, start, size);
    if (weight !== null) putTileGradient(backend, tile, weight, logits, hidden, 0, numRows);
    if (bias !== null) putBiasGradient(backend, logits, 0, numRows, start, size, bias);
  });
  return [weight, bias].filter((gradient) => gradient !== null);
}

const factorsProgram: ShaderProgram = {
  name: 'putLogProbFactors',
  workgroupSize: 256,
  body: `
    let i = group * 256u + lane;
    if (i >= u.count) { return; }
    let row = 3u * (i / u.size);
    var slope = -exp(logits[i] - known[row + 1u]);
    if (f32(u.start + i % u.size) == known[row]) { slope += 1.0; }
    logits[i] = known[row + 2u] * slope;`,
};

/** Replaces a tile's logits by their gradient: the row's incoming gradient times (1 at the label - p). */
function putLogProbFactors(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  known: tf.TensorInfo,
  numRows: number,
  start: number,
  size: number,
): void {
  const count = numRows * size;
  runShader(backend, factorsProgram, {
    reads: { known },
    writes: { logits },
    integers: { count, start, size },
    workgroups: Math.ceil(count / 256),
  });
}
