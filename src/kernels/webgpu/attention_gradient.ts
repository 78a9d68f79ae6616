import type * as tf from '@tensorflow/tfjs-core';
import {
  addWeighted,
  attentionSizes,
  each,
  eachRow,
  maskOrContinue,
  products,
  type Rows,
  type Sharing,
  sharingOf,
  TILE,
  tileDeclarations,
  WEIGHTS_ROW,
} from './attention_tiles';
import { fused } from './fused_kernel';
import { makeOutput, runShader } from './shader';
import { memoize, type ShaderProgram } from './shader_program';
import type { WebGpuBackend } from './webgpu_backend';

interface Inputs {
  readonly query: tf.TensorInfo;
  readonly key: tf.TensorInfo;
  readonly value: tf.TensorInfo;
  readonly mask: tf.TensorInfo;
  /** What flows to the context. */
  readonly gradient: tf.TensorInfo;
  /**
   * Of each query the largest score, one over the sum of exponentials, and the sum of context times gradient, [B, H, T,
   * 4].
   */
  readonly rows: tf.TensorInfo;
}

/**
 * Gradients of attention, which computes the probabilities p again. One program takes tiles of queries for dq, another
 * tiles of keys for dk and dv, so that each number is summed by one invocation, always in the same order.
 *
 * ```
 * dv = p' dy,   ds = p (dy v' - sum(dy context)),   dq = ds k scale,   dk = ds' q scale
 * ```
 */
export const webgpuAttentionGradient = fused('ILRecAttentionGrad', ({ backend, input }) => {
  const [query, key, value, mask, gradient] = ['query', 'key', 'value', 'mask', 'gradient'].map(input);
  const rows = completeRows(backend, input('rows'), input('context'), gradient);
  const inputs = { query, key, value, mask, gradient, rows };
  const gradients = [queryGradient(backend, inputs), ...keyValueGradients(backend, inputs)];
  backend.disposeData(rows.dataId);
  return gradients;
});

const rowProgram: ShaderProgram = {
  name: 'attention',
  workgroupSize: 64,
  body: `
    let i = group * 64 + lane;
    if (i >= u.count) { return; }
    var total = 0.0;
    for (var at = i * u.fours; at < (i + 1) * u.fours; at++) { total += dot(context[at], gradient[at]); }
    rows[i] = vec4f(given[2 * i], given[2 * i + 1], total, 0);`,
};

function completeRows(
  backend: WebGpuBackend,
  given: tf.TensorInfo,
  context: tf.TensorInfo,
  gradient: tf.TensorInfo,
): tf.TensorInfo {
  const [batch, heads, length, size] = context.shape;
  const rows = makeOutput(backend, [batch, heads, length, 4]);
  const count = batch * heads * length;
  runShader(backend, rowProgram, {
    reads: { given, context: { tensor: context, fours: true }, gradient: { tensor: gradient, fours: true } },
    writes: { rows: { tensor: rows, fours: true } },
    integers: { count, fours: size / 4 },
    workgroups: Math.ceil(count / 64),
  });
  return rows;
}

const QUERIES: Rows = { array: 'query', start: 'startQuery', first: 'firstQuery', count: 'u.queries' };
const GRADIENTS: Rows = { ...QUERIES, array: 'gradient' };
const KEYS: Rows = { array: 'key', start: 'startKey', first: 'firstKey', count: 'u.keys' };
const VALUES: Rows = { ...KEYS, array: 'value' };

const rowDeclarations = `${tileDeclarations}
  var<workgroup> own: array<vec4f, ${TILE}>;`;

/** Reads `rows` of a tile of queries; zeros past the last query, which add nothing. */
const readRows = `
  if (lane < ${TILE}) {
    own[lane] = vec4f();
    if (firstQuery + lane < u.queries) { own[lane] = rows[(batch * u.heads + head) * u.queries + firstQuery + lane]; }
  }`;

/** What both programs read: all of it but the mask as vec4f. */
function readsOf({
  mask,
  ...others
}: Inputs): Record<string, tf.TensorInfo | { tensor: tf.TensorInfo; fours: boolean }> {
  return {
    mask,
    ...Object.fromEntries(Object.entries(others).map(([name, tensor]) => [name, { tensor, fours: true }])),
  };
}

const queryProgram = memoize((sharing: Sharing): ShaderProgram => {
  const { lanes, acrossLanes } = sharing;
  return {
    name: 'attention',
    workgroupSize: lanes,
    declarations: rowDeclarations,
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
      ${eachRow((r) => `var sum${r} = vec4f();`)}
      ${readRows}
      for (var firstKey = 0u; firstKey < u.keys; firstKey += ${TILE}) {
        ${maskOrContinue(
          sharing,
          ({ row }) => `firstQuery + ${row}`,
          ({ column }) => `firstKey + ${column}`,
          ({ row }) => `own[${row}].x`,
        )}
        ${products(sharing, 'score', QUERIES, KEYS)}
        ${products(sharing, 'change', GRADIENTS, VALUES)}
        ${each(
          sharing,
          ({ r, c, row, column }) => `
          let p${r}_${c} = select(0.0, exp(score${r}_${c} * u.scale + mask${r}_${c} - own[${row}].x) * own[${row}].y, firstKey + ${column} < u.keys);
          weights[${row} * ${WEIGHTS_ROW} + ${column}] = p${r}_${c} * (change${r}_${c} - own[${row}].z);`,
        )}
        workgroupBarrier();
        ${addWeighted(sharing, 'sum', KEYS)}
      }
      if (across >= u.fours) { return; }
      ${eachRow((r, row) => `if (firstQuery + ${row} < u.queries) { dQuery[startQuery + (firstQuery + ${row}) * u.fours + across] = sum${r} * u.scale; }`)}`,
  };
});

function queryGradient(backend: WebGpuBackend, inputs: Inputs): tf.TensorInfo {
  const { query, key, mask } = inputs;
  const [batch, heads, length, size] = query.shape;
  const dQuery = makeOutput(backend, query.shape);
  const tiles = Math.ceil(length / TILE);
  runShader(backend, queryProgram(sharingOf(size / 4)), {
    reads: readsOf(inputs),
    writes: { dQuery: { tensor: dQuery, fours: true } },
    integers: { ...attentionSizes(query, key, mask), tiles, workgroups: tiles * batch * heads },
    floats: { scale: 1 / Math.sqrt(size) },
    workgroups: tiles * batch * heads,
  });
  return dQuery;
}

const keyProgram = memoize((sharing: Sharing): ShaderProgram => {
  const { lanes, acrossLanes } = sharing;
  return {
    name: 'attention',
    workgroupSize: lanes,
    declarations: rowDeclarations,
    body: `
      if (group >= u.workgroups) { return; }
      let firstKey = group % u.tiles * ${TILE};
      let keyHead = group / u.tiles % u.groups;
      let batch = group / (u.tiles * u.groups);
      let startKey = (batch * u.groups + keyHead) * u.keys * u.fours;
      let perGroup = u.heads / u.groups;
      let down = lane / ${acrossLanes};
      let across = lane % ${acrossLanes};
      ${eachRow((r) => `var sumKey${r} = vec4f();\nvar sumValue${r} = vec4f();`)}
      for (var head = keyHead * perGroup; head < (keyHead + 1) * perGroup; head++) {
        let startQuery = (batch * u.heads + head) * u.queries * u.fours;
        let maskStart = batch * u.mask0 + head * u.mask1;
        for (var firstQuery = 0u; firstQuery < u.queries; firstQuery += ${TILE}) {
          ${readRows}
          ${maskOrContinue(
            sharing,
            ({ column }) => `firstQuery + ${column}`,
            ({ row }) => `firstKey + ${row}`,
            ({ column }) => `own[${column}].x`,
          )}
          ${products(sharing, 'score', KEYS, QUERIES)}
          ${each(
            sharing,
            ({ r, c, row, column }) => `
            let p${r}_${c} = select(0.0, exp(score${r}_${c} * u.scale + mask${r}_${c} - own[${column}].x) * own[${column}].y, firstQuery + ${column} < u.queries);
            weights[${row} * ${WEIGHTS_ROW} + ${column}] = p${r}_${c};`,
          )}
          workgroupBarrier();
          ${addWeighted(sharing, 'sumValue', GRADIENTS)}
          ${products(sharing, 'change', VALUES, GRADIENTS)}
          ${each(sharing, ({ r, c, row, column }) => `weights[${row} * ${WEIGHTS_ROW} + ${column}] = p${r}_${c} * (change${r}_${c} - own[${column}].z);`)}
          workgroupBarrier();
          ${addWeighted(sharing, 'sumKey', QUERIES)}
        }
      }
      if (across >= u.fours) { return; }
      ${eachRow(
        (r, row) => `
        if (firstKey + ${row} < u.keys) {
          let at = startKey + (firstKey + ${row}) * u.fours + across;
          dKey[at] = sumKey${r} * u.scale;
          dValue[at] = sumValue${r};
        }`,
      )}`,
  };
});

/** A workgroup has 32 keys and takes all queries of the heads that share them. */
function keyValueGradients(backend: WebGpuBackend, inputs: Inputs): tf.TensorInfo[] {
  const { query, key, mask } = inputs;
  const [batch, groups, length, size] = key.shape;
  const [dKey, dValue] = [makeOutput(backend, key.shape), makeOutput(backend, key.shape)];
  const tiles = Math.ceil(length / TILE);
  runShader(backend, keyProgram(sharingOf(size / 4)), {
    reads: readsOf(inputs),
    writes: { dKey: { tensor: dKey, fours: true }, dValue: { tensor: dValue, fours: true } },
    integers: { ...attentionSizes(query, key, mask), tiles, workgroups: tiles * batch * groups },
    floats: { scale: 1 / Math.sqrt(size) },
    workgroups: tiles * batch * groups,
  });
  return [dKey, dValue];
}
