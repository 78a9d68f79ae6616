import { halfOf, type KernelReplacement, rowsOf } from '../kernel';
import { fused } from './fused_kernel';
import { countOf, makeOutput, runShader } from './shader';
import type { ShaderProgram } from './shader_program';

/** Uses the exponential of a number that is never positive: WGSL does not guarantee infinities. */
const sigmoid = `
  fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
  }`;

const forward: ShaderProgram = {
  name: 'gated',
  workgroupSize: 64,
  declarations: sigmoid,
  body: `
    let i = group * 64 + lane;
    if (i >= u.count) { return; }
    let at = i / u.n * 2 * u.n + i % u.n;
    y[i] = x[at] * sigmoid(x[at]) * x[at + u.n];`,
};

const backward: ShaderProgram = {
  name: 'gated',
  workgroupSize: 64,
  declarations: sigmoid,
  body: `
    let i = group * 64 + lane;
    if (i >= u.count) { return; }
    let at = i / u.n * 2 * u.n + i % u.n;
    let s = sigmoid(x[at]);
    dx[at] = dy[i] * x[at + u.n] * s * (1.0 + x[at] * (1.0 - s));
    dx[at + u.n] = dy[i] * x[at] * s;`,
};

const gate = fused('ILRecGate', ({ backend, input }) => {
  const x = input('x');
  const n = halfOf(x, 'gated');
  const y = makeOutput(backend, [...x.shape.slice(0, -1), n]);
  const count = countOf(y);
  if (count === 0) return y;
  runShader(backend, forward, {
    reads: { x },
    writes: { y },
    integers: { count, n },
    workgroups: Math.ceil(count / 64),
  });
  return y;
});

const gateGradient = fused('ILRecGateGrad', ({ backend, input }) => {
  const [x, dy] = [input('x'), input('dy')];
  const dx = makeOutput(backend, x.shape);
  const [rows, both] = rowsOf(x);
  const [n, count] = [both / 2, (rows * both) / 2];
  if (count === 0) return dx;
  runShader(backend, backward, {
    reads: { x, dy },
    writes: { dx },
    integers: { count, n },
    workgroups: Math.ceil(count / 64),
  });
  return dx;
});

export const webgpuGate: readonly KernelReplacement[] = [gate, gateGradient];
