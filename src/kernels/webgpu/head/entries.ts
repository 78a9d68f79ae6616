import type * as tf from '@tensorflow/tfjs-core';
import { type DeviceHead, partsOfHead } from './parts';
import { runShader } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

const LANES = 64;

/**
 * Logits of some tokens of each row, [R, C], from hidden states [R, D].
 *
 * @param tokens int32 [R, C]; a negative one has the logit 0.
 */
export function logitsOfTokens(
  backend: WebGpuBackend,
  head: DeviceHead,
  hidden: tf.TensorInfo,
  tokens: tf.TensorInfo,
  logits: tf.TensorInfo,
): void {
  const count = tokens.shape[0] * tokens.shape[1];
  partsOfHead(backend, head).forEach(
    ({ operand, firstToken, numTokens, firstDim, numDims, tokenStride, dimStride }, i) => {
      const isFirst = i === 0;
      const start = head.bias === null ? '0.0' : 'bias[token]';
      runShader(backend, {
        name: `ILRecTokenLogits ${head.bias !== null} ${isFirst}`,
        reads: { hidden, tokens, weight: operand, ...(head.bias !== null && isFirst ? { bias: head.bias } : {}) },
        writes: { logits },
        integers: {
          count,
          per_row: tokens.shape[1],
          hidden_size: hidden.shape[1],
          first_token: firstToken,
          num_tokens: numTokens,
          first_dim: firstDim,
          num_dims: numDims,
          token_stride: tokenStride,
          dim_stride: dimStride,
        },
        workgroupSize: LANES,
        workgroups: count,
        declarations: `var<workgroup> lanes: array<f32, ${LANES}>;`,
        body: `
        if (group >= u.count) { return; }
        let token = tokens[group];
        let is_here = token >= i32(u.first_token) && token < i32(u.first_token + u.num_tokens);
        var sum = 0.0;
        if (is_here) {
          let at = (u32(token) - u.first_token) * u.token_stride;
          let states = (group / u.per_row) * u.hidden_size + u.first_dim;
          for (var d = lane; d < u.num_dims; d += ${LANES}u) { sum += hidden[states + d] * weight[at + d * u.dim_stride]; }
        }
        lanes[lane] = sum;
        workgroupBarrier();
        for (var span = ${LANES / 2}u; span > 0u; span /= 2u) {
          if (lane < span) { lanes[lane] += lanes[lane + span]; }
          workgroupBarrier();
        }
        if (lane == 0u) {
          ${isFirst ? `var before = 0.0; if (token >= 0) { before = ${start}; }` : 'let before = logits[group];'}
          logits[group] = before + lanes[0];
        }`,
      });
    },
  );
}

/**
 * out[r] = sum over c of factor[r, c] W_token[r, c], [R, D].
 *
 * @param tokens int32 [R, C]; where the factor is 0 the token may be any.
 */
export function sumsOfTokens(
  backend: WebGpuBackend,
  head: DeviceHead,
  tokens: tf.TensorInfo,
  factors: tf.TensorInfo,
  sums: tf.TensorInfo,
): void {
  const [numRows, hiddenSize] = sums.shape;
  for (const { operand, firstToken, numTokens, firstDim, numDims, tokenStride, dimStride } of partsOfHead(
    backend,
    head,
  )) {
    const chunks = Math.ceil(numDims / LANES);
    runShader(backend, {
      name: 'ILRecTokenSums',
      reads: { tokens, factors, weight: operand },
      writes: { sums },
      integers: {
        num_rows: numRows,
        per_row: tokens.shape[1],
        hidden_size: hiddenSize,
        first_token: firstToken,
        num_tokens: numTokens,
        first_dim: firstDim,
        num_dims: numDims,
        token_stride: tokenStride,
        dim_stride: dimStride,
        chunks,
      },
      workgroupSize: LANES,
      workgroups: numRows * chunks,
      body: `
        let row = group / u.chunks;
        let d = (group % u.chunks) * ${LANES}u + lane;
        if (row >= u.num_rows || d >= u.num_dims) { return; }
        let at = row * u.hidden_size + u.first_dim + d;
        var sum = 0.0;
        if (u.first_token > 0u) { sum = sums[at]; }
        for (var c = row * u.per_row; c < (row + 1u) * u.per_row; c++) {
          let factor = factors[c];
          let token = tokens[c];
          if (factor != 0.0 && token >= i32(u.first_token) && token < i32(u.first_token + u.num_tokens)) {
            sum += factor * weight[(u32(token) - u.first_token) * u.token_stride + d * u.dim_stride];
          }
        }
        sums[at] = sum;`,
    });
  }
}

/** Rows of W of some tokens, int32 [n] to [n, D]. */
export function rowsOfTokens(
  backend: WebGpuBackend,
  head: DeviceHead,
  tokens: tf.TensorInfo,
  rows: tf.TensorInfo,
): void {
  const [count, hiddenSize] = rows.shape;
  for (const { operand, firstToken, numTokens, firstDim, numDims, tokenStride, dimStride } of partsOfHead(
    backend,
    head,
  )) {
    runShader(backend, {
      name: 'ILRecTokenRows',
      reads: { tokens, weight: operand },
      writes: { rows },
      integers: {
        count,
        hidden_size: hiddenSize,
        first_token: firstToken,
        num_tokens: numTokens,
        first_dim: firstDim,
        num_dims: numDims,
        token_stride: tokenStride,
        dim_stride: dimStride,
      },
      workgroupSize: LANES,
      workgroups: count,
      body: `
        if (group >= u.count) { return; }
        let token = tokens[group] - i32(u.first_token);
        if (token < 0 || token >= i32(u.num_tokens)) { return; }
        for (var d = lane; d < u.num_dims; d += ${LANES}u) {
          rows[group * u.hidden_size + u.first_dim + d] = weight[u32(token) * u.token_stride + d * u.dim_stride];
        }`,
    });
  }
}

/** Adds rows [n, D] to those of some tokens, int32 [n], in their order: a token may be there twice. @param head whose matrix is changed. */
export function addRowsOfTokens(
  backend: WebGpuBackend,
  head: DeviceHead,
  tokens: tf.TensorInfo,
  rows: tf.TensorInfo,
): void {
  const [count, hiddenSize] = rows.shape;
  for (const { operand, firstToken, numTokens, firstDim, numDims, tokenStride, dimStride } of partsOfHead(
    backend,
    head,
  )) {
    runShader(backend, {
      name: 'ILRecAddTokenRows',
      reads: { tokens, rows },
      writes: { weight: operand },
      integers: {
        count,
        hidden_size: hiddenSize,
        first_token: firstToken,
        num_tokens: numTokens,
        first_dim: firstDim,
        num_dims: numDims,
        token_stride: tokenStride,
        dim_stride: dimStride,
      },
      workgroupSize: LANES,
      workgroups: Math.ceil(numDims / LANES),
      body: `
        let d = group * ${LANES}u + lane;
        if (d >= u.num_dims) { return; }
        for (var i = 0u; i < u.count; i++) {
          let token = tokens[i] - i32(u.first_token);
          if (token >= 0 && token < i32(u.num_tokens)) { weight[u32(token) * u.token_stride + d * u.dim_stride] += rows[i * u.hidden_size + u.first_dim + d]; }
        }`,
    });
  }
}
