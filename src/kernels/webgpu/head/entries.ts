import type * as tf from '@tensorflow/tfjs-core';
import { type DeviceHead, type HeadPart, partsOfHead } from './parts';
import { runShader } from '../shader';
import { memoize, type ShaderProgram } from '../shader_program';
import type { WebGpuBackend } from '../webgpu_backend';

const LANES = 64;

/** The uniforms that say where a part's numbers are. */
function integersOf({
  firstToken,
  numTokens,
  firstDim,
  numDims,
  tokenStride,
  dimStride,
}: HeadPart): Record<string, number> {
  return {
    first_token: firstToken,
    num_tokens: numTokens,
    first_dim: firstDim,
    num_dims: numDims,
    token_stride: tokenStride,
    dim_stride: dimStride,
  };
}

const logitProgram = memoize((hasBias: boolean, isFirst: boolean): ShaderProgram => {
  const start = hasBias ? 'bias[token]' : '0.0';
  return {
    name: 'logitsOfTokens',
    workgroupSize: LANES,
    declarations: `var<workgroup> lanes: array<f32, ${LANES}>;`,
    body: `
      if (group >= u.count) { return; }
      let token = tokens[group];
      let is_here = token >= i32(u.first_token) && token < i32(u.first_token + u.num_tokens);
      var sum = 0.0;
      if (is_here) {
        let first_weight = (u32(token) - u.first_token) * u.token_stride;
        let first_state = (group / u.per_row) * u.hidden_size + u.first_dim;
        for (var d = lane; d < u.num_dims; d += ${LANES}u) { sum += hidden[first_state + d] * weight[first_weight + d * u.dim_stride]; }
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
  };
});

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
  partsOfHead(backend, head).forEach((part, i) => {
    const isFirst = i === 0;
    runShader(backend, logitProgram(head.bias !== null, isFirst), {
      reads: { hidden, tokens, weight: part.operand, ...(head.bias !== null && isFirst ? { bias: head.bias } : {}) },
      writes: { logits },
      integers: { count, per_row: tokens.shape[1], hidden_size: hidden.shape[1], ...integersOf(part) },
      workgroups: count,
    });
  });
}

const sumProgram: ShaderProgram = {
  name: 'sumsOfTokens',
  workgroupSize: LANES,
  body: `
    let row = group / u.chunks;
    let d = (group % u.chunks) * ${LANES}u + lane;
    if (row >= u.num_rows || d >= u.num_dims) { return; }
    let place = row * u.hidden_size + u.first_dim + d;
    var sum = 0.0;
    if (u.first_token > 0u) { sum = sums[place]; }
    for (var c = row * u.per_row; c < (row + 1u) * u.per_row; c++) {
      let factor = factors[c];
      let token = tokens[c];
      if (factor != 0.0 && token >= i32(u.first_token) && token < i32(u.first_token + u.num_tokens)) {
        sum += factor * weight[(u32(token) - u.first_token) * u.token_stride + d * u.dim_stride];
      }
    }
    sums[place] = sum;`,
};

/**
 * sums[r] = sum over c of factor[r, c] W_token[r, c], [R, D].
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
  for (const part of partsOfHead(backend, head)) {
    const chunks = Math.ceil(part.numDims / LANES);
    runShader(backend, sumProgram, {
      reads: { tokens, factors, weight: part.operand },
      writes: { sums },
      integers: { num_rows: numRows, per_row: tokens.shape[1], hidden_size: hiddenSize, chunks, ...integersOf(part) },
      workgroups: numRows * chunks,
    });
  }
}

const rowProgram: ShaderProgram = {
  name: 'weightsOfTokens',
  workgroupSize: LANES,
  body: `
    if (group >= u.count) { return; }
    let token = tokens[group] - i32(u.first_token);
    if (token < 0 || token >= i32(u.num_tokens)) { return; }
    for (var d = lane; d < u.num_dims; d += ${LANES}u) {
      weights[group * u.hidden_size + u.first_dim + d] = weight[u32(token) * u.token_stride + d * u.dim_stride];
    }`,
};

/** Weights of some tokens, int32 [n]: [n, D]. */
export function weightsOfTokens(
  backend: WebGpuBackend,
  head: DeviceHead,
  tokens: tf.TensorInfo,
  weights: tf.TensorInfo,
): void {
  const [count, hiddenSize] = weights.shape;
  for (const part of partsOfHead(backend, head)) {
    runShader(backend, rowProgram, {
      reads: { tokens, weight: part.operand },
      writes: { weights },
      integers: { count, hidden_size: hiddenSize, ...integersOf(part) },
      workgroups: count,
    });
  }
}

const addProgram: ShaderProgram = {
  name: 'addToTokens',
  workgroupSize: LANES,
  body: `
    let d = group * ${LANES}u + lane;
    if (d >= u.num_dims) { return; }
    for (var i = 0u; i < u.count; i++) {
      let token = tokens[i] - i32(u.first_token);
      if (token >= 0 && token < i32(u.num_tokens)) { weight[u32(token) * u.token_stride + d * u.dim_stride] += terms[i * u.hidden_size + u.first_dim + d]; }
    }`,
};

/**
 * Adds [n, D] to the weights of some tokens, int32 [n], in their order: a token may be there twice.
 * @param head whose matrix is changed.
 */
export function addToTokens(
  backend: WebGpuBackend,
  head: DeviceHead,
  tokens: tf.TensorInfo,
  terms: tf.TensorInfo,
): void {
  const [count, hiddenSize] = terms.shape;
  for (const part of partsOfHead(backend, head)) {
    runShader(backend, addProgram, {
      reads: { tokens, terms },
      writes: { weight: part.operand },
      integers: { count, hidden_size: hiddenSize, ...integersOf(part) },
      workgroups: Math.ceil(part.numDims / LANES),
    });
  }
}
