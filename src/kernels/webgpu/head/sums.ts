import type * as tf from '@tensorflow/tfjs-core';
import { NEGATIVES } from './penalty';
import type { ListedRows } from './tile';
import { runShader } from '../shader';
import type { ShaderProgram } from '../shader_program';
import type { WebGpuBackend } from '../webgpu_backend';

const LANES = 64;

const meansProgram: ShaderProgram = {
  name: 'divideSums',
  workgroupSize: LANES,
  body: `
    if (group >= u.num_rows) { return; }
    let scale = 1.0 / softmax[3u * group + 1u];
    for (var d = lane; d < u.hidden_size; d += ${LANES}u) {
      var sum = 0.0;
      for (var part = 0u; part < u.parts; part++) { sum += sums[(part * u.num_rows + group) * u.hidden_size + d]; }
      means[group * u.hidden_size + d] = sum * scale;
    }`,
};

/** E_p[W] of each row: its sums of e^(x - m) W, which are in parts, [parts * R, D], divided by s. */
export function divideSums(
  backend: WebGpuBackend,
  sums: tf.TensorInfo,
  parts: number,
  softmax: tf.TensorInfo,
  means: tf.TensorInfo,
): void {
  const [numRows, hiddenSize] = means.shape;
  runShader(backend, meansProgram, {
    reads: { sums, softmax },
    writes: { means },
    integers: { num_rows: numRows, hidden_size: hiddenSize, parts },
    workgroups: numRows,
  });
}

const listedMeansProgram: ShaderProgram = {
  name: 'divideListedSums',
  workgroupSize: LANES,
  body: `
    if (group >= u32(list[0])) { return; }
    let row = u32(list[1u + group]);
    let scale = 1.0 / softmax[3u * group + 1u];
    for (var d = lane; d < u.hidden_size; d += ${LANES}u) {
      var sum = 0.0;
      for (var part = 0u; part < u.parts; part++) { sum += sums[(part * u.num_rows + group) * u.hidden_size + d]; }
      means[row * u.hidden_size + d] = sum * scale;
    }`,
};

/** The same for the listed rows, each put at its own row of `means` [P, D]. */
export function divideListedSums(
  backend: WebGpuBackend,
  sums: tf.TensorInfo,
  parts: number,
  softmax: tf.TensorInfo,
  { list, numRows }: ListedRows,
  means: tf.TensorInfo,
): void {
  runShader(backend, listedMeansProgram, {
    reads: { sums, softmax, list },
    writes: { means },
    integers: { num_rows: numRows, hidden_size: means.shape[1], parts },
    workgroups: numRows,
  });
}

const logTotalsProgram: ShaderProgram = {
  name: 'putLogTotals',
  workgroupSize: LANES,
  body: `
    let i = group * ${LANES}u + lane;
    if (i < min(u.num_rows, u32(list[0]))) {
      let row = u32(list[1u + i]);
      found[4u * row + ${NEGATIVES.logTotal}u] = softmax[3u * i] + log(softmax[3u * i + 1u]) - known[4u * row];
    }`,
};

/** lse' - lse of the listed rows, put at their rows of `found` [P, 4]. */
export function putLogTotals(
  backend: WebGpuBackend,
  softmax: tf.TensorInfo,
  { list, numRows }: ListedRows,
  known: tf.TensorInfo,
  found: tf.TensorInfo,
): void {
  runShader(backend, logTotalsProgram, {
    reads: { softmax, list, known },
    writes: { found },
    integers: { num_rows: numRows },
    workgroups: Math.ceil(numRows / LANES),
  });
}
