import { type Rows, softmax } from './reference';
import type { Weights } from './reference_decoder';

/** Layers in float64 and plain loops, on one sequence: rows in, rows out. */

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((total, value, i) => total + value * b[i], 0);
const transpose = (a: Rows): Rows => a[0].map((_, c) => a.map((row) => row[c]));

export function multiply(x: Rows, matrix: Rows): Rows {
  const columns = transpose(matrix);
  return x.map((row) => columns.map((column) => dot(row, column)));
}

export function plus(a: Rows, b: Rows): Rows {
  return a.map((row, r) => row.map((value, c) => value + (b.length === 1 ? b[0][c] : b[r][c])));
}

export function dense(x: Rows, weights: Weights, name: string, activation: (z: number) => number = (z) => z): Rows {
  const bias = weights.get(`${name}/bias`);
  const z = multiply(x, weights.get(`${name}/kernel`) as Rows);
  return (bias === undefined ? z : plus(z, bias)).map((row) => row.map(activation));
}

/** tfjs's `layerNormalization`, epsilon 1e-3. */
export function layerNorm(x: Rows, weights: Weights, name: string): Rows {
  const [gamma, beta] = [weights.get(`${name}/gamma`) as Rows, weights.get(`${name}/beta`) as Rows];
  return x.map((row) => {
    const mean = row.reduce((a, b) => a + b) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-3)) * gamma[0][i] + beta[0][i]);
  });
}

/** `ForeignAttention`, causal, without its residual. */
export function attend(x: Rows, weights: Weights, name: string): Rows {
  const [query, key, value] = ['query', 'key', 'value'].map((matrix) =>
    multiply(x, weights.get(`${name}/${matrix}`) as Rows),
  );
  const context = query.map((row, t) => {
    const p = softmax(key.slice(0, t + 1).map((other) => dot(row, other) / Math.sqrt(row.length)));
    return row.map((_, i) => p.reduce((total, share, s) => total + share * value[s][i], 0));
  });
  return multiply(context, weights.get(`${name}/out`) as Rows);
}

/** Runs a cell over the sequence; `gates` of the width that the cell needs come in as x W + b and h U. */
function recur(
  x: Rows,
  weights: Weights,
  name: string,
  cell: (
    fromInput: number[],
    fromState: (h: number[]) => number[],
    h: number[],
    c: number[],
  ) => { h: number[]; c: number[] },
): Rows {
  const recurrent = weights.get(`${name}/recurrent_kernel`) as Rows; // [D, gates * D]
  const inputs = dense(x, weights, name);
  let state = { h: recurrent.map(() => 0), c: recurrent.map(() => 0) };
  return inputs.map((row) => {
    state = cell(row, (h) => multiply([h], recurrent)[0], state.h, state.c);
    return state.h;
  });
}

export function simpleRnn(x: Rows, weights: Weights, name: string): Rows {
  return recur(x, weights, name, (input, fromState, h) => {
    const z = fromState(h);
    return { h: input.map((value, i) => Math.tanh(value + z[i])), c: [] };
  });
}

/** With recurrentActivation 'sigmoid'; gates in the order input, forget, cell, output. */
export function lstm(x: Rows, weights: Weights, name: string): Rows {
  return recur(x, weights, name, (input, fromState, h, c) => {
    const size = h.length;
    const z = fromState(h).map((value, i) => value + input[i]);
    const next = c.map((value, i) => sigmoid(z[size + i]) * value + sigmoid(z[i]) * Math.tanh(z[2 * size + i]));
    return { h: next.map((value, i) => sigmoid(z[3 * size + i]) * Math.tanh(value)), c: next };
  });
}

/** With recurrentActivation 'sigmoid'; gates in the order update, reset, candidate. */
export function gru(x: Rows, weights: Weights, name: string): Rows {
  return recur(x, weights, name, (input, fromState, h) => {
    const size = h.length;
    const z = fromState(h);
    const reset = h.map((value, i) => value * sigmoid(input[size + i] + z[size + i]));
    const candidate = fromState(reset).slice(2 * size);
    return {
      h: h.map((value, i) => {
        const update = sigmoid(input[i] + z[i]);
        return update * value + (1 - update) * Math.tanh(input[2 * size + i] + candidate[i]);
      }),
      c: [],
    };
  });
}
