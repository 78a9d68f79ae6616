import type * as tf from '@tensorflow/tfjs-core';
import type { ListedRows } from './tile';
import { NEGATIVES } from './penalised';
import { runShader } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

/** E_p[W] of each row from its sums of e^(x - m) W in parts, [parts * R, D], divided by s. */
export function divideSums(
  backend: WebGpuBackend,
  sums: tf.TensorInfo,
  parts: number,
  softmax: tf.TensorInfo,
  means: tf.TensorInfo,
): void {
  const [numRows, hiddenSize] = means.shape;
  runShader(backend, {
    name: 'ILRecHeadMeans',
    reads: { sums, softmax },
    writes: { means },
    integers: { num_rows: numRows, hidden_size: hiddenSize, parts },
    workgroupSize: 64,
    workgroups: numRows,
    body: `
      if (group >= u.num_rows) { return; }
      let scale = 1.0 / softmax[3u * group + 1u];
      for (var d = lane; d < u.hidden_size; d += 64u) {
        var sum = 0.0;
        for (var part = 0u; part < u.parts; part++) { sum += sums[(part * u.num_rows + group) * u.hidden_size + d]; }
        means[group * u.hidden_size + d] = sum * scale;
      }`,
  });
}

/** The same of the listed rows, each into its own place of `means` [P, D]. */
export function divideListedSums(
  backend: WebGpuBackend,
  sums: tf.TensorInfo,
  parts: number,
  softmax: tf.TensorInfo,
  { list, numRows }: ListedRows,
  means: tf.TensorInfo,
): void {
  runShader(backend, {
    name: 'ILRecHeadListedMeans',
    reads: { sums, softmax, list },
    writes: { means },
    integers: { num_rows: numRows, hidden_size: means.shape[1], parts },
    workgroupSize: 64,
    workgroups: numRows,
    body: `
      if (group >= u32(list[0])) { return; }
      let place = u32(list[1u + group]);
      let scale = 1.0 / softmax[3u * group + 1u];
      for (var d = lane; d < u.hidden_size; d += 64u) {
        var sum = 0.0;
        for (var part = 0u; part < u.parts; part++) { sum += sums[(part * u.num_rows + group) * u.hidden_size + d]; }
        means[place * u.hidden_size + d] = sum * scale;
      }`,
  });
}

/** lse' - lse of the listed rows, into their places of `found` [P, 4]. */
export function putLogTotals(
  backend: WebGpuBackend,
  softmax: tf.TensorInfo,
  { list, numRows }: ListedRows,
  known: tf.TensorInfo,
  found: tf.TensorInfo,
): void {
  runShader(backend, {
    name: 'ILRecHeadLogTotals',
    reads: { softmax, list, known },
    writes: { found },
    integers: { num_rows: numRows },
    workgroupSize: 64,
    workgroups: Math.ceil(numRows / 64),
    body: `
      let at = group * 64u + lane;
      if (at < min(u.num_rows, u32(list[0]))) {
        let place = u32(list[1u + at]);
        found[4u * place + ${NEGATIVES.logTotal}u] = softmax[3u * at] + log(softmax[3u * at + 1u]) - known[4u * place];
      }`,
  });
}
