import * as tf from '@tensorflow/tfjs-core';
import { input, sizeOf, type KernelReplacement } from '../kernel';
import { bindingLimit } from './binding_limit';
import { countOf, makeOutput, partsOf, runShader } from './shader';
import type { ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

/**
 * Gathers from a table that is larger than a shader can bind, such as the embedding of a large vocabulary. tfjs's
 * kernel would return zeros.
 */
export const webgpuGather: KernelReplacement = {
  kernelName: 'GatherV2',
  create: (stock) => {
    if (stock === undefined) return undefined;
    return (call) => {
      const backend = call.backend as WebGpuBackend;
      const [x, indices] = [input(call.inputs, 'x'), input(call.inputs, 'indices')];
      const isNumeric = x.dtype === 'float32' || x.dtype === 'int32';
      const fits = 4 * sizeOf(x.shape) <= bindingLimit(backend.device);
      const axis = tf.util.parseAxisParam(call.attrs?.axis as number, x.shape)[0];
      if (fits || !isNumeric || axis !== 0 || ((call.attrs?.batchDims as number | undefined) ?? 0) !== 0)
        return stock(call);
      return gatherRows(backend, x, indices);
    };
  },
};

const rowsOfPart: ShaderProgram = {
  name: 'gather',
  workgroupSize: 64,
  body: `
    let i = group * 64 + lane;
    if (i >= u.count) { return; }
    let row = indices[i / u.inner];
    if (row >= i32(u.begin) && row < i32(u.end)) {
      rows[i] = part[(u32(row) - u.begin) * u.inner + i % u.inner];
    } else if (u.begin == 0 && (row < 0 || row >= i32(u.last))) {
      rows[i] = 0;
    }`,
};

/** An index that is out of range gives zeros, as in tfjs's kernel. */
function gatherRows(backend: WebGpuBackend, table: tf.TensorInfo, indices: tf.TensorInfo): tf.TensorInfo {
  const inner = sizeOf(table.shape.slice(1));
  const rows = makeOutput(backend, [...indices.shape, ...table.shape.slice(1)], table.dtype as 'float32' | 'int32');
  const count = countOf(rows);
  if (count === 0) return rows;
  for (const { begin, end } of partsOf(backend.device, countOf(table), inner)) {
    runShader(backend, rowsOfPart, {
      reads: { part: { tensor: table, begin, end }, indices },
      writes: { rows },
      integers: { count, inner, begin: begin / inner, end: end / inner, last: table.shape[0] },
      workgroups: Math.ceil(count / 64),
    });
  }
  return rows;
}
