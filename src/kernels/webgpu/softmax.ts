import * as tf from '@tensorflow/tfjs-core';
import { input, type KernelReplacement, rowsOf } from '../kernel';
import { lanesFor, rowReductions } from './row_reductions';
import { makeOutput, runShader } from './shader';
import { memoize, type ShaderProgram } from './shader_program';
import { hasSubgroups } from './subgroups';
import type { WebGpuBackend } from './webgpu_backend';

/** Softmax of rows, a row per workgroup. tfjs's kernel can corrupt the last row if there are more than 65,535. */
export const webgpuSoftmax: KernelReplacement = {
  kernelName: 'Softmax',
  create: (stock) => {
    if (stock === undefined) return undefined;
    return (call) => {
      const logits = input(call.inputs, 'logits');
      const rank = logits.shape.length;
      const isLast = rank > 0 && tf.util.parseAxisParam(call.attrs?.dim as number, logits.shape)[0] === rank - 1;
      return isLast ? softmaxOfRows(call.backend as WebGpuBackend, logits) : stock(call);
    };
  },
};

const rowProgram = memoize((lanes: number, subgroups: boolean): ShaderProgram => ({
  name: 'softmax',
  workgroupSize: lanes,
  ...rowReductions(lanes, subgroups),
  body: `
      if (group >= u.rows) { return; }
      let start = group * u.n;
      var most = x[start];
      for (var i = lane; i < u.n; i += ${lanes}) { most = max(most, x[start + i]); }
      let largest = largest_of(lane, most);
      var own = 0.0;
      for (var i = lane; i < u.n; i += ${lanes}) { own += exp(x[start + i] - largest); }
      let total = sum_of(lane, own);
      for (var i = lane; i < u.n; i += ${lanes}) { y[start + i] = exp(x[start + i] - largest) / total; }`,
}));

function softmaxOfRows(backend: WebGpuBackend, x: tf.TensorInfo): tf.TensorInfo {
  const [rows, n] = rowsOf(x);
  const y = makeOutput(backend, x.shape);
  if (rows === 0) return y;
  runShader(backend, rowProgram(lanesFor(n), hasSubgroups(backend.device)), {
    reads: { x: { ...x, dtype: 'float32' } },
    writes: { y },
    integers: { rows, n },
    workgroups: rows,
  });
  return y;
}
