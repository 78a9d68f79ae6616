import { halfOf, sizeOf } from '../kernel';
import { fused } from './fused_kernel';
import { makeOutput, runShader } from './shader';
import type { ShaderProgram } from './shader_program';

const turn: ShaderProgram = {
  name: 'applyRotary',
  workgroupSize: 64,
  body: `
    let i = group * 64 + lane;
    if (i >= u.pairs) { return; }
    let row = i / u.half;
    let first = row * 2 * u.half + i % u.half;
    let second = first + u.half;
    let at = ((row / u.rows / u.perTable) * u.rows + row % u.rows) * 2 * u.half + i % u.half;
    y[first] = x[first] * cosines[at] - x[second] * sines[at] * u.sign;
    y[second] = x[second] * cosines[at + u.half] + x[first] * sines[at + u.half] * u.sign;`,
};

/** An invocation rotates one pair. Each table [R, F] of cos and sin serves `perTable` neighbouring matrices of x. */
export const webgpuRotate = fused('ILRecRotate', ({ backend, input, attr }) => {
  const [x, cos, sin] = [input('x'), input('cos'), input('sin')];
  const half = halfOf(x, 'applyRotary');
  const y = makeOutput(backend, x.shape);
  const pairs = sizeOf(x.shape) / 2;
  if (pairs === 0) return y;
  const rows = x.shape.length > 1 ? x.shape[x.shape.length - 2] : 1;
  runShader(backend, turn, {
    reads: { x, cosines: cos, sines: sin },
    writes: { y },
    integers: { pairs, half, rows, perTable: sizeOf(x.shape) / sizeOf(cos.shape) },
    floats: { sign: attr('sign') },
    workgroups: Math.ceil(pairs / 64),
  });
  return y;
});
