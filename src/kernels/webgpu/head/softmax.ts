import type * as tf from '@tensorflow/tfjs-core';
import { ROW_LANES } from '../row_ranks';
import { rowReductions } from '../row_reductions';
import { runShader } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

/** How the rows of a tile of logits lie: the hidden states' own, and z~ of each response row as the mean of some of them. */
export interface TileRows {
  /** Rows of logits whose softmax is asked for. */
  readonly numDirect: number;
  /** Rows of z~, P or 0. */
  readonly numBlended: number;
  /** z~ of response row p is the mean of the `layers` rows `firstLayer + l * P + p`. */
  readonly firstLayer: number;
  readonly layers: number;
}

export const blendedAt = `
fn blended_at(row: u32, v: u32) -> f32 {
  var sum = 0.0;
  for (var l = 0u; l < u.layers; l++) { sum += logits[(u.first_layer + l * u.num_blended + row) * u.size + v]; }
  return sum / f32(u.layers);
}
`;

/** The uniforms that `blendedAt` reads. */
export function blendedIntegers({ numBlended, firstLayer, layers }: TileRows, size: number): Record<string, number> {
  return { num_blended: numBlended, first_layer: firstLayer, layers, size };
}

/**
 * The next tile of a softmax of rows that come in parts (see `OnlineSoftmax`), of the direct rows and then of z~.
 *
 * @param softmax m, s and e^(m before - m) of each row, [numDirect + numBlended, 3]; replaced.
 */
export function addToSoftmax(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  softmax: tf.TensorInfo,
  rows: TileRows,
  size: number,
  isFirst: boolean,
): void {
  const count = rows.numDirect + rows.numBlended;
  runShader(backend, {
    name: 'ILRecHeadSoftmax',
    reads: { logits },
    writes: { softmax },
    integers: { ...blendedIntegers(rows, size), num_direct: rows.numDirect, count, is_first: isFirst ? 1 : 0 },
    workgroupSize: ROW_LANES,
    workgroups: count,
    enable: rowReductions(backend.device, ROW_LANES).enable,
    declarations: `${rowReductions(backend.device, ROW_LANES).declarations}${blendedAt}
      fn value_at(row: u32, v: u32) -> f32 {
        if (row < u.num_direct) { return logits[row * u.size + v]; }
        return blended_at(row - u.num_direct, v);
      }`,
    body: `
      if (group >= u.count) { return; }
      var known = LOWEST; // read and written by the first invocation alone
      if (lane == 0u && u.is_first == 0u) { known = softmax[3u * group]; }
      var most = known;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) { most = max(most, value_at(group, v)); }
      most = largest_of(lane, most);
      var sum = 0.0;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) { sum += exp(value_at(group, v) - most); }
      sum = sum_of(lane, sum);
      if (lane == 0u) {
        let factor = select(exp(known - most), 0.0, u.is_first == 1u);
        if (u.is_first == 0u) { sum += softmax[3u * group + 1u] * factor; }
        softmax[3u * group] = most;
        softmax[3u * group + 1u] = sum;
        softmax[3u * group + 2u] = factor;
      }`,
  });
}
