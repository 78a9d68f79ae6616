import { sizeOf } from '../kernel';
import {
  addWeighted,
  attentionSizes,
  each,
  eachRow,
  LOWEST,
  maskOrContinue,
  products,
  type Sharing,
  sharingOf,
  TILE,
  tileDeclarations,
  WEIGHTS_ROW,
} from './attention_tiles';
import { fused } from './fused_kernel';
import { makeOutput, runShader } from './shader';
import { memoize, type ShaderProgram } from './shader_program';

const attentionProgram = memoize((sharing: Sharing): ShaderProgram => {
  const { lanes, acrossLanes } = sharing;
  const perRow = lanes / TILE;
  const number = ({ row, column }: { row: string; column: string }): string =>
    `weights[${row} * ${WEIGHTS_ROW} + ${column}]`;
  return {
    name: 'attention',
    workgroupSize: lanes,
    declarations: `${tileDeclarations}
      var<workgroup> largest: array<f32, ${TILE}>;
      var<workgroup> sums: array<f32, ${TILE}>;
      var<workgroup> factors: array<f32, ${TILE}>;
      var<workgroup> partial: array<f32, ${lanes}>;`,
    body: `
      if (group >= u.workgroups) { return; }
      let firstQuery = group % u.tiles * ${TILE};
      let head = group / u.tiles % u.heads;
      let batch = group / (u.tiles * u.heads);
      let startQuery = (batch * u.heads + head) * u.queries * u.fours;
      let startKey = (batch * u.groups + head / (u.heads / u.groups)) * u.keys * u.fours;
      let maskStart = batch * u.mask0 + head * u.mask1;
      let down = lane / ${acrossLanes};
      let across = lane % ${acrossLanes};
      let own = lane / ${perRow};
      ${eachRow((r) => `var sum${r} = vec4f();`)}
      if (lane < ${TILE}) {
        largest[lane] = ${LOWEST};
        sums[lane] = 0.0;
      }
      for (var firstKey = 0u; firstKey < u.keys; firstKey += ${TILE}) {
        ${maskOrContinue(
          sharing,
          ({ row }) => `firstQuery + ${row}`,
          ({ column }) => `firstKey + ${column}`,
          ({ row }) => `largest[${row}]`,
        )}
        ${products(sharing, 'score', { array: 'query', start: 'startQuery', first: 'firstQuery', count: 'u.queries' }, { array: 'key', start: 'startKey', first: 'firstKey', count: 'u.keys' })}
        ${each(sharing, ({ r, c, row, column }) => `${number({ row, column })} = select(${LOWEST}, score${r}_${c} * u.scale + mask${r}_${c}, firstKey + ${column} < u.keys);`)}
        workgroupBarrier();
        let before = largest[own];
        var most = before;
        for (var i = lane % ${perRow}; i < ${TILE}; i += ${perRow}) { most = max(most, ${number({ row: 'own', column: 'i' })}); }
        partial[lane] = most;
        workgroupBarrier();
        for (var i = 0u; i < ${perRow}; i++) { most = max(most, partial[own * ${perRow} + i]); }
        workgroupBarrier();
        var total = 0.0;
        for (var i = lane % ${perRow}; i < ${TILE}; i += ${perRow}) {
          let e = exp(${number({ row: 'own', column: 'i' })} - most);
          ${number({ row: 'own', column: 'i' })} = e;
          total += e;
        }
        partial[lane] = total;
        workgroupBarrier();
        if (lane % ${perRow} == 0) {
          let factor = exp(before - most);
          var all = sums[own] * factor;
          for (var i = 0u; i < ${perRow}; i++) { all += partial[lane + i]; }
          sums[own] = all;
          largest[own] = most;
          factors[own] = factor;
        }
        workgroupBarrier();
        ${eachRow((r, row) => `sum${r} *= factors[${row}];`)}
        ${addWeighted(sharing, 'sum', { array: 'value', start: 'startKey', first: 'firstKey', count: 'u.keys' })}
      }
      workgroupBarrier();
      ${eachRow(
        (r, row) => `
        if (firstQuery + ${row} < u.queries) {
          if (across < u.fours) { context[startQuery + (firstQuery + ${row}) * u.fours + across] = sum${r} / sums[${row}]; }
          if (across == 0) {
            let at = 2 * ((batch * u.heads + head) * u.queries + firstQuery + ${row});
            rows[at] = largest[${row}];
            rows[at + 1] = 1.0 / sums[${row}];
          }
        }`,
      )}`,
  };
});

/**
 * Attention whose probabilities are never in memory (Dao et al., arXiv 2205.14135). A workgroup has 32 queries of a
 * head and takes the keys 32 at a time, with a running softmax for each query. Returns the context and, per query, the
 * largest score and one over the sum of exponentials. These stay two numbers: in a row that sees only masked keys,
 * their logarithmic sum would lose the second.
 */
export const webgpuAttention = fused('ILRecAttention', ({ backend, input }) => {
  const [query, key, value, mask] = ['query', 'key', 'value', 'mask'].map(input);
  const [batch, heads, length, size] = query.shape;
  const [context, rows] = [makeOutput(backend, query.shape), makeOutput(backend, [batch, heads, length, 2])];
  const tiles = Math.ceil(length / TILE);
  const fours = true;
  runShader(backend, attentionProgram(sharingOf(size / 4)), {
    reads: { query: { tensor: query, fours }, key: { tensor: key, fours }, value: { tensor: value, fours }, mask },
    writes: { context: { tensor: context, fours }, rows },
    integers: { ...attentionSizes(query, key, mask), tiles, workgroups: tiles * sizeOf([batch, heads]) },
    floats: { scale: 1 / Math.sqrt(size) },
    workgroups: tiles * batch * heads,
  });
  return [context, rows];
});
