import type * as tf from '@tensorflow/tfjs-core';
import { ROW_LANES, rowRanks } from './row_ranks';
import { makeOutput, runShader } from './shader';
import type { ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

const listing: ShaderProgram = {
  name: 'listRows',
  workgroupSize: ROW_LANES,
  declarations: rowRanks,
  body: `
    var count = 0u;
    for (var at = 0u; at < u.num_rows; at += ${ROW_LANES}u) {
      let row = at + lane;
      var is_marked = false;
      if (row < u.num_rows) { is_marked = marks[row] > 0.0; }
      let place = 1u + count + rank_of(lane, is_marked);
      if (is_marked) { list[place] = f32(row); }
      count += number_ranked();
    }
    if (lane == 0u) { list[0] = f32(count); }`,
};

/** The number of rows whose mark is above 0, then those rows in order, [1 + P]. */
export function listRows(backend: WebGpuBackend, marks: tf.TensorInfo): tf.TensorInfo {
  const numRows = marks.shape[0];
  const list = makeOutput(backend, [1 + numRows]);
  runShader(backend, listing, { reads: { marks }, writes: { list }, integers: { num_rows: numRows }, workgroups: 1 });
  return list;
}
