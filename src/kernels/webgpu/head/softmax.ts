import type * as tf from '@tensorflow/tfjs-core';
import { ROW_LANES } from '../row_ranks';
import { rowReductions } from '../row_reductions';
import { runShader } from '../shader';
import { memoize, type ShaderProgram } from '../shader_program';
import { hasSubgroups } from '../subgroups';
import type { WebGpuBackend } from '../webgpu_backend';

/**
 * Which rows a reading has: those of the hidden states' own logits, then z~ of each response row, the mean of some of
 * them.
 */
export interface LogitRows {
  /** Rows of logits whose softmax is asked for. */
  readonly numDirect: number;
  /** Rows of z~: P, or 0 for none. */
  readonly numEnsemble: number;
  /** z~ of response row p is the mean of the `layers` rows `firstLayer + l * P + p`. */
  readonly firstLayer: number;
  readonly layers: number;
}

/** WGSL: z~ of a response row, from `logits`. */
export const ensembleLogit = `
fn ensemble_logit(row: u32, v: u32) -> f32 {
  var sum = 0.0;
  for (var l = 0u; l < u.layers; l++) { sum += logits[(u.first_layer + l * u.num_ensemble + row) * u.size + v]; }
  return sum / f32(u.layers);
}
`;

/** The uniforms that `ensembleLogit` reads. */
export function ensembleIntegers({ numEnsemble, firstLayer, layers }: LogitRows, size: number): Record<string, number> {
  return { num_ensemble: numEnsemble, first_layer: firstLayer, layers, size };
}

const softmaxProgram = memoize((subgroups: boolean): ShaderProgram => {
  const { enable, declarations } = rowReductions(ROW_LANES, subgroups);
  return {
    name: 'addToSoftmax',
    enable,
    workgroupSize: ROW_LANES,
    declarations: `${declarations}${ensembleLogit}
      fn logit(row: u32, v: u32) -> f32 {
        if (row < u.num_direct) { return logits[row * u.size + v]; }
        return ensemble_logit(row - u.num_direct, v);
      }`,
    body: `
      if (group >= u.count) { return; }
      var known = LOWEST; // read and written by the first invocation alone
      if (lane == 0u && u.is_first == 0u) { known = softmax[3u * group]; }
      var most = known;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) { most = max(most, logit(group, v)); }
      most = largest_of(lane, most);
      var sum = 0.0;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) { sum += exp(logit(group, v) - most); }
      sum = sum_of(lane, sum);
      if (lane == 0u) {
        let factor = select(exp(known - most), 0.0, u.is_first == 1u);
        if (u.is_first == 0u) { sum += softmax[3u * group + 1u] * factor; }
        softmax[3u * group] = most;
        softmax[3u * group + 1u] = sum;
        softmax[3u * group + 2u] = factor;
      }`,
  };
});

/**
 * Adds one tile to the running softmax of the direct rows and of z~ (see `OnlineSoftmax`).
 *
 * @param softmax m, s and e^(m before - m) of each row, [numDirect + numEnsemble, 3]; written over.
 */
export function addToSoftmax(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  softmax: tf.TensorInfo,
  logitRows: LogitRows,
  size: number,
  isFirst: boolean,
): void {
  const count = logitRows.numDirect + logitRows.numEnsemble;
  runShader(backend, softmaxProgram(hasSubgroups(backend.device)), {
    reads: { logits },
    writes: { softmax },
    integers: {
      ...ensembleIntegers(logitRows, size),
      num_direct: logitRows.numDirect,
      count,
      is_first: isFirst ? 1 : 0,
    },
    workgroups: count,
  });
}
