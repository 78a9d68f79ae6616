import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { normals } from './random';
import { crossEntropyOf, mean, type Rows, toRows } from './reference';

/** The states of one row of input ids, [T, D], in float64 and plain loops. */
export type ReferenceStates = (weights: readonly ArrayLike<number>[], ids: readonly number[]) => Rows;

export interface GRU4RecSizes {
  readonly embeddingSize: number;
  readonly hiddenSize: number;
}

export interface CaserSizes {
  readonly hiddenSize: number;
  readonly windowSize: number;
  readonly numHorizontalFilters: number;
}

/** Writes random numbers into every weight, since biases of zero would hide what reads them. */
export function randomizeWeights(model: tfl.LayersModel, seed: number, scale = 0.5): void {
  tf.tidy(() =>
    model.weights.forEach((weight, at) => {
      const { shape, size } = weight.read();
      weight.write(tf.tensor(normals(size, seed + at, scale), shape));
    }),
  );
}

/** The weights of a model, flat, in its own order: the item table, the repeat bias, then the layers. */
export function flatWeights(model: tfl.LayersModel): Float32Array[] {
  return model.weights.map((weight) => weight.read().dataSync<'float32'>());
}

/** GRU4Rec of one recurrent layer. */
export function gru4recStates({ embeddingSize, hiddenSize }: GRU4RecSizes): ReferenceStates {
  return ([table, , kernel, recurrentKernel, bias, recurrentBias, projection, projectionBias], ids) => {
    const embeddings = scaledRows(table, embeddingSize);
    const P = toRows(projection, embeddingSize);
    const gru = gruStates([kernel, recurrentKernel, bias, recurrentBias], hiddenSize);
    return gru(ids.map((id) => embeddings[id])).map((h) =>
      Array.from(projectionBias, (value, d) => value + product(h, P, d)),
    );
  };
}

/** The recurrent layer alone, from [T, D] to [T, H]; weights as the layer has them. */
export function gruStates(weights: readonly ArrayLike<number>[], H: number): (inputs: Rows) => Rows {
  const [W, U] = [toRows(weights[0], 3 * H), toRows(weights[1], 3 * H)];
  const [, , bias, recurrentBias] = weights;
  return (inputs) => {
    let h = new Array<number>(H).fill(0);
    return inputs.map((x) => {
      const fromInput = (at: number): number => product(x, W, at) + bias[at];
      const fromState = (at: number): number => product(h, U, at) + recurrentBias[at];
      return (h = h.map((value, j) => {
        const r = sigmoid(fromInput(j) + fromState(j));
        const z = sigmoid(fromInput(H + j) + fromState(H + j));
        return z * value + (1 - z) * Math.tanh(fromInput(2 * H + j) + r * fromState(2 * H + j));
      }));
    });
  };
}

/** Caser. Its filters are compared window by window, each made on its own. */
export function caserStates({ hiddenSize: D, windowSize: L, numHorizontalFilters: F }: CaserSizes): ReferenceStates {
  return ([table, , ...rest], ids) => {
    const embeddings = scaledRows(table, D);
    const filters = caserFilters(rest.slice(0, L + 2), { hiddenSize: D, windowSize: L, numHorizontalFilters: F });
    const [kernel, bias] = [toRows(rest[L + 2], D), rest[L + 3]];
    return filters(ids.map((id) => embeddings[id])).map((outputs) =>
      Array.from(bias, (value, d) => relu(value + product(outputs, kernel, d))),
    );
  };
}

/** The filters alone, from embedded items [T, D] to [T, L F + G D]; weights as the layer has them. */
export function caserFilters(
  weights: readonly ArrayLike<number>[],
  { hiddenSize: D, windowSize: L, numHorizontalFilters: F }: CaserSizes,
): (embedded: Rows) => Rows {
  const horizontal = weights.slice(0, L).map((flat) => toRows(flat, F)); // [h D, F] each
  const horizontalBias = toRows(weights[L], F);
  const vertical = toRows(weights[L + 1], L); // [G, L]
  return (embedded) =>
    embedded.map((_, t) => {
      const nothing = new Array<number>(D).fill(0);
      const window = Array.from({ length: L }, (__, i) => embedded[t - L + 1 + i]).map((row, i) =>
        t - L + 1 + i >= 1 ? row : nothing,
      ); // position 0 is no item
      const outputs = horizontal.flatMap((kernel, at) =>
        horizontalBias[at].map((bias, f) => {
          const places = Array.from({ length: L - at }, (__, i) =>
            product(window.slice(i, i + at + 1).flat(), kernel, f),
          );
          return relu(Math.max(...places) + bias);
        }),
      );
      const columns = vertical.flatMap((filter) =>
        nothing.map((__, d) => filter.reduce((sum, weight, i) => sum + weight * window[i][d], 0)),
      );
      return [...outputs, ...columns];
    });
}

/**
 * The loss of a batch: the mean of the labelled positions' cross-entropy over all items, with the repeat bias, which is
 * stored divided by 10, on the earlier labels of the row.
 */
export function referenceLoss(
  states: ReferenceStates,
  weights: readonly ArrayLike<number>[],
  inputIds: readonly (readonly number[])[],
  labels: readonly (readonly number[])[],
  size: number,
): number {
  const items = toRows(weights[0], size).slice(1);
  const losses = inputIds.flatMap((ids, b) =>
    states(weights, ids).flatMap((state, t) => {
      const label = labels[b][t];
      if (label < 0) return [];
      const seen = labels[b].slice(0, t);
      const scores = items.map((row, item) => dot(state, row) + (seen.includes(item) ? 10 * weights[1][0] : 0));
      return [crossEntropyOf(scores, label)];
    }),
  );
  return mean(losses);
}

/** The embeddings as the layers read them, times sqrt(D). */
function scaledRows(table: ArrayLike<number>, size: number): Rows {
  return toRows(table, size).map((row) => row.map((value) => Math.sqrt(size) * value));
}

/** Entry `column` of x · matrix. */
function product(x: readonly number[], matrix: Rows, column: number): number {
  return x.reduce((sum, value, row) => sum + value * matrix[row][column], 0);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function relu(x: number): number {
  return Math.max(0, x);
}
