import { rowsOf } from '../kernel';
import { fused } from './fused_kernel';
import { lanesFor, rowReductions } from './row_reductions';
import { makeOutput, runShader } from './shader';
import { memoize, type ShaderProgram } from './shader_program';
import { hasSubgroups } from './subgroups';

const rowProgram = memoize((lanes: number, subgroups: boolean): ShaderProgram => ({
  name: 'softmax',
  workgroupSize: lanes,
  ...rowReductions(lanes, subgroups),
  body: `
      if (group >= u.rows) { return; }
      let start = group * u.n;
      var products = 0.0;
      for (var i = lane; i < u.n; i += ${lanes}) { products += y[start + i] * dy[start + i]; }
      let total = sum_of(lane, products);
      for (var i = lane; i < u.n; i += ${lanes}) { dx[start + i] = y[start + i] * (dy[start + i] - total); }`,
}));

/** dx = y (dy - sum of y dy), a row per workgroup. */
export const webgpuSoftmaxGradient = fused('ILRecSoftmaxGrad', ({ backend, input }) => {
  const y = input('y');
  const [rows, n] = rowsOf(y);
  const dx = makeOutput(backend, y.shape);
  if (rows === 0) return dx;
  runShader(backend, rowProgram(lanesFor(n), hasSubgroups(backend.device)), {
    reads: { y, dy: input('dy') },
    writes: { dx },
    integers: { rows, n },
    workgroups: rows,
  });
  return dx;
});
