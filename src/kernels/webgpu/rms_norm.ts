import { fused } from './fused_kernel';
import { lanesFor, rowReductions } from './row_reductions';
import { clear, makeOutput, runShader } from './shader';
import { memoize, type ShaderProgram } from './shader_program';
import { hasSubgroups } from './subgroups';
import { type KernelReplacement, rowsOf } from '../kernel';
import type { WebGpuBackend } from './webgpu_backend';
import type * as tf from '@tensorflow/tfjs-core';

const forward = memoize((lanes: number, subgroups: boolean): ShaderProgram => ({
  name: 'rmsNorm',
  workgroupSize: lanes,
  ...rowReductions(lanes, subgroups),
  body: `
      if (group >= u.rows) { return; }
      let start = group * u.n;
      var squares = 0.0;
      for (var i = lane; i < u.n; i += ${lanes}) { squares += x[start + i] * x[start + i]; }
      let r = inverseSqrt(sum_of(lane, squares) / f32(u.n) + u.epsilon);
      if (lane == 0) { inverse[group] = r; }
      for (var i = lane; i < u.n; i += ${lanes}) { y[start + i] = x[start + i] * r * weight[i]; }`,
}));

const backward = memoize((lanes: number, subgroups: boolean): ShaderProgram => ({
  name: 'rmsNorm',
  workgroupSize: lanes,
  ...rowReductions(lanes, subgroups),
  body: `
      if (group >= u.rows) { return; }
      let start = group * u.n;
      let r = inverse[group];
      var products = 0.0;
      for (var i = lane; i < u.n; i += ${lanes}) { products += weight[i] * dy[start + i] * x[start + i]; }
      let mean = sum_of(lane, products) * r * r / f32(u.n);
      for (var i = lane; i < u.n; i += ${lanes}) { dx[start + i] = r * (weight[i] * dy[start + i] - x[start + i] * mean); }`,
}));

const rmsNorm = fused('ILRecRmsNorm', ({ backend, input, attr }) => {
  const x = input('x');
  const [rows, n] = rowsOf(x);
  const [y, inverse] = [makeOutput(backend, x.shape), makeOutput(backend, [rows, 1])];
  if (rows === 0) return [y, inverse];
  runShader(backend, forward(lanesFor(n), hasSubgroups(backend.device)), {
    reads: { x, weight: input('weight') },
    writes: { y, inverse },
    integers: { rows, n },
    floats: { epsilon: attr('epsilon') },
    workgroups: rows,
  });
  return [y, inverse];
});

const rmsNormGradient = fused('ILRecRmsNormGrad', ({ backend, input }) => {
  const [x, weight, inverse, dy] = [input('x'), input('weight'), input('inverse'), input('dy')];
  const [rows, n] = rowsOf(x);
  const dx = makeOutput(backend, x.shape);
  if (rows === 0) {
    const dw = makeOutput(backend, [n]);
    clear(backend, dw);
    return [dx, dw];
  }
  runShader(backend, backward(lanesFor(n), hasSubgroups(backend.device)), {
    reads: { x, weight, inverse, dy },
    writes: { dx },
    integers: { rows, n },
    workgroups: rows,
  });
  return [dx, weightGradient(backend, x, inverse, dy)];
});

/** The fewest rows of a partial sum. */
const MIN_ROWS = 32;
/** The most partial sums of a column, which one invocation adds up. */
const MAX_PARTS = 256;

const sumBands: ShaderProgram = {
  name: 'rmsNorm',
  workgroupSize: 64,
  body: `
    let part = group / u.blocks;
    let i = group % u.blocks * 64 + lane;
    if (part >= u.parts || i >= u.n) { return; }
    var total = 0.0;
    for (var row = part * u.perPart; row < min(u.rows, (part + 1) * u.perPart); row++) { total += dy[row * u.n + i] * x[row * u.n + i] * inverse[row]; }
    sums[part * u.n + i] = total;`,
};

const addBands: ShaderProgram = {
  name: 'rmsNorm',
  workgroupSize: 64,
  body: `
    let i = group * 64 + lane;
    if (i >= u.n) { return; }
    var total = 0.0;
    for (var part = 0u; part < u.parts; part++) { total += sums[part * u.n + i]; }
    dw[i] = total;`,
};

/** dw = sum of dy x r over the rows: first the sums of bands of rows, then their sum, always in the same order. */
function weightGradient(
  backend: WebGpuBackend,
  x: tf.TensorInfo,
  inverse: tf.TensorInfo,
  dy: tf.TensorInfo,
): tf.TensorInfo {
  const [rows, n] = rowsOf(x);
  const perPart = Math.max(MIN_ROWS, Math.ceil(rows / MAX_PARTS));
  const parts = Math.ceil(rows / perPart);
  const blocks = Math.ceil(n / 64);
  const sums = makeOutput(backend, [parts, n]);
  runShader(backend, sumBands, {
    reads: { x, inverse, dy },
    writes: { sums },
    integers: { rows, n, perPart, parts, blocks },
    workgroups: parts * blocks,
  });
  if (parts === 1) return { ...sums, shape: [n] };
  const dw = makeOutput(backend, [n]);
  runShader(backend, addBands, { reads: { sums }, writes: { dw }, integers: { n, parts }, workgroups: blocks });
  backend.disposeData(sums.dataId);
  return dw;
}

export const webgpuRmsNorm: readonly KernelReplacement[] = [rmsNorm, rmsNormGradient];
