import { relativePositionBucket, type RelativePositionOptions } from '../../src/ops/relative_position_bucket';
import { type Rows, softmax } from './reference';

/** Weights of a block by name, each [in, out] row by row; norms have one row. */
export type T5Weights = Readonly<Record<string, Rows>>;

/** A T5 block in float64 and plain loops, for one row of the batch. */
export interface T5Reference {
  readonly weights: T5Weights;
  readonly heads: number;
  readonly eps: number;
}

function product(x: Rows, weight: Rows): Rows {
  return x.map((row) => weight[0].map((_, j) => row.reduce((sum, value, i) => sum + value * weight[i][j], 0)));
}

function sum(a: Rows, b: Rows): Rows {
  return a.map((row, t) => row.map((value, i) => value + b[t][i]));
}

/** x / rms(x) * scale. */
export function rmsNormOf(x: Rows, [scale]: Rows, eps: number): Rows {
  return x.map((row) => {
    const meanSquare = row.reduce((total, value) => total + value * value, 0) / row.length;
    return row.map((value, i) => (scale[i] * value) / Math.sqrt(meanSquare + eps));
  });
}

/** What is added to the scores of each head, [H][T][T], from a table [buckets][H]; `null` where a key is not seen. */
export function positionBiasOf(
  table: Rows,
  length: number,
  options: Omit<RelativePositionOptions, 'numBuckets'>,
): (number | null)[][][] {
  const at = { ...options, numBuckets: table.length };
  return table[0].map((_, head) =>
    Array.from({ length }, (__, query) =>
      Array.from({ length }, (___, key) =>
        !options.bidirectional && key > query ? null : table[relativePositionBucket(key - query, at)][head],
      ),
    ),
  );
}

/** softmax(q k + bias) v, heads side by side; scores are not scaled. */
function attend(q: Rows, k: Rows, v: Rows, heads: number, bias: (head: number, t: number, s: number) => number): Rows {
  const size = q[0].length / heads;
  return q.map((query, t) =>
    query.map((_, feature) => {
      const head = Math.floor(feature / size);
      const own = (row: readonly number[]): readonly number[] => row.slice(head * size, (head + 1) * size);
      const scores = k.map((key, s) =>
        own(key).reduce((dot, value, i) => dot + value * own(query)[i], bias(head, t, s)),
      );
      return softmax(scores).reduce((total, p, s) => total + p * v[s][feature], 0);
    }),
  );
}

/** GELU, tanh approximation. */
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/**
 * The block's output [T][D]. ReLU without gate where the weights have `wi`, else the gated tanh GELU; cross-attention
 * where `encoded` is given.
 */
export function t5BlockOf(
  { weights: w, heads, eps }: T5Reference,
  x: Rows,
  bias: readonly (readonly (readonly (number | null)[])[])[],
  encoded: Rows | null,
): Rows {
  const normed = rmsNormOf(x, w.self_norm, eps);
  const [q, k, v] = [w.self_q, w.self_k, w.self_v].map((weight) => product(normed, weight));
  const context = attend(q, k, v, heads, (head, t, s) => bias[head][t][s] ?? -Infinity);
  let hidden = sum(x, product(context, w.self_o));
  if (encoded !== null) {
    const asked = product(rmsNormOf(hidden, w.cross_norm, eps), w.cross_q);
    const found = attend(asked, product(encoded, w.cross_k), product(encoded, w.cross_v), heads, () => 0);
    hidden = sum(hidden, product(found, w.cross_o));
  }
  const read = rmsNormOf(hidden, w.mlp_norm, eps);
  const inner =
    'wi' in w
      ? product(read, w.wi).map((row) => row.map((value) => Math.max(0, value)))
      : product(read, w.wi_0).map((row, t) => row.map((value, i) => gelu(value) * product(read, w.wi_1)[t][i]));
  return sum(hidden, product(inner, w.wo));
}
