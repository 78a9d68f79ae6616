import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Rows, softmax, toRows } from './reference';

/** The decoder's weights as float64 matrices by name, for example `layers_0/q_proj`; vectors are one row. */
export type Weights = Map<string, Rows>;

export interface DecoderSizes {
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  ropeTheta: number;
  rmsNormEps: number;
}

/** Reads a model's weights; names lose the suffix that tfjs adds when a name occurs twice in a process. */
export function weightsOf(model: tfl.LayersModel): Weights {
  return new Map(
    model.layers.flatMap((layer) =>
      layer.weights.map((weight) => {
        const value: tf.Tensor = weight.read();
        const name = `${layer.name}/${weight.originalName.split('/').pop()}`;
        return [name, toRows(value.dataSync(), value.shape[value.rank - 1] as number)] as const;
      }),
    ),
  );
}

/**
 * A Llama-style decoder in plain loops on one sequence: residual stream after each block, normed last one, and logits.
 */
export function referenceDecoder(
  weights: Weights,
  sizes: DecoderSizes,
  ids: readonly number[],
): { hiddenStates: Rows[]; logits: Rows; project: (hidden: Rows) => Rows } {
  const at = (name: string): Rows => weights.get(name) as Rows;
  const norm = (x: Rows, name: string): Rows =>
    x.map((row) => {
      const r = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length + sizes.rmsNormEps);
      return row.map((v, i) => v * r * at(name)[0][i]);
    });
  const head = weights.has('lm_head/weight') ? at('lm_head/weight') : at('embed_tokens/weight');
  const project = (hidden: Rows): Rows => product(norm(hidden, 'norm/weight'), transpose(head));

  let x: Rows = ids.map((id) => at('embed_tokens/weight')[id]);
  const hiddenStates: Rows[] = [];
  for (let layer = 0; layer < sizes.numHiddenLayers; layer++) {
    const name = (weight: string): string => `layers_${layer}/${weight}`;
    const normed = norm(x, name('input_layernorm'));
    const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((projection) => product(normed, at(name(projection))));
    const context = attend(q, k, v, sizes);
    x = sum(x, product(context, at(name('o_proj'))));
    const inner = norm(x, name('post_attention_layernorm'));
    const [gate, up] = ['gate_proj', 'up_proj'].map((projection) => product(inner, at(name(projection))));
    const activated = gate.map((row, t) => row.map((g, i) => (g / (1 + Math.exp(-g))) * up[t][i]));
    x = sum(x, product(activated, at(name('down_proj'))));
    hiddenStates.push(x);
  }
  return { hiddenStates, logits: project(x), project };
}

function attend(q: Rows, k: Rows, v: Rows, { numAttentionHeads, numKeyValueHeads, ropeTheta }: DecoderSizes): Rows {
  const size = q[0].length / numAttentionHeads;
  const head = (x: Rows, h: number): Rows => x.map((row) => row.slice(h * size, (h + 1) * size));
  const heads = Array.from({ length: numAttentionHeads }, (_, h) => {
    const group = Math.floor((h * numKeyValueHeads) / numAttentionHeads);
    const [query, key, value] = [rotate(head(q, h), ropeTheta), rotate(head(k, group), ropeTheta), head(v, group)];
    return query.map((row, t) => {
      const weights = softmax(key.slice(0, t + 1).map((other) => dot(row, other) / Math.sqrt(size)));
      return Array.from({ length: size }, (__, i) => weights.reduce((total, w, s) => total + w * value[s][i], 0));
    });
  });
  return q.map((_, t) => heads.flatMap((rows) => rows[t]));
}

function rotate(x: Rows, theta: number): Rows {
  const half = x[0].length / 2;
  return x.map((row, position) =>
    row.map((value, i) => {
      const angle = position * theta ** (-(i % half) / half);
      return value * Math.cos(angle) + (i < half ? -row[i + half] : row[i - half]) * Math.sin(angle);
    }),
  );
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((total, value, i) => total + value * b[i], 0);
const transpose = (a: Rows): Rows => a[0].map((_, c) => a.map((row) => row[c]));
const product = (a: Rows, b: Rows): Rows => {
  const columns = transpose(b);
  return a.map((row) => columns.map((column) => dot(row, column)));
};
const sum = (a: Rows, b: Rows): Rows => a.map((row, r) => row.map((value, c) => value + b[r][c]));
