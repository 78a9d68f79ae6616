import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { normals } from '../support/random';

export const layouts = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;
export type Layout = (typeof layouts)[number];

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The matrix of `own` that is read for matrix `index` of the broadcast batch. */
function placeOf(index: number, own: readonly number[], batch: readonly number[]): number {
  let [rest, place, step] = [index, 0, 1];
  for (let axis = batch.length - 1, at = own.length - 1; at >= 0; axis--, at--) {
    if (own[at] !== 1) place += step * (rest % batch[axis]);
    step *= own[at];
    rest = Math.floor(rest / batch[axis]);
  }
  return place;
}

/** Each of a stack of matrices turned over. */
function turned(x: Float32Array, rows: number, columns: number): Float32Array {
  return x.map((_, i) => {
    const [start, at] = [i - (i % (rows * columns)), i % (rows * columns)];
    return x[start + (at % rows) * columns + Math.floor(at / rows)];
  });
}

/**
 * Multiplies [...batchA, M, K] by [...batchB, K, N] on the current backend, stored in each layout; values must agree
 * with loops in float64 to 1e-6 sqrt(K), and nothing may stay behind.
 */
export function expectProducts(
  batchA: number[],
  batchB: number[],
  [M, K, N]: readonly number[],
  stored: readonly Layout[] = layouts,
): void {
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const a = normals(sizeOf(batchA) * M * K, 3, 1 / Math.sqrt(Math.max(1, K))); // so that results are of order 1
  const b = normals(sizeOf(batchB) * K * N, 5);
  const wanted = new Float64Array(sizeOf(batch) * M * N);
  for (let i = 0; i < sizeOf(batch); i++) {
    const [fromA, fromB] = [placeOf(i, batchA, batch) * M * K, placeOf(i, batchB, batch) * K * N];
    for (let m = 0; m < M; m++) {
      for (let k = 0; k < K; k++) {
        for (let n = 0; n < N; n++) wanted[(i * M + m) * N + n] += a[fromA + m * K + k] * b[fromB + k * N + n];
      }
    }
  }
  for (const [ta, tb] of stored) {
    const name = `[${batchA}] x [${batchB}], M ${M}, K ${K}, N ${N}, transposeA ${ta}, transposeB ${tb}`;
    const before = { tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() };
    tf.tidy(() => {
      const left = ta ? tf.tensor(turned(a, M, K), [...batchA, K, M]) : tf.tensor(a, [...batchA, M, K]);
      const right = tb ? tf.tensor(turned(b, K, N), [...batchB, N, K]) : tf.tensor(b, [...batchB, K, N]);
      const product = tf.matMul(left, right, ta, tb);
      expect(product.shape, name).to.deep.equal([...batch, M, N]);
      product.dataSync().forEach((value, i) => {
        if (!(Math.abs(value - wanted[i]) <= 1e-6 * Math.sqrt(K) * (1 + Math.abs(wanted[i]))))
          expect.fail(`${name}: number ${i} is ${value}, in float64 ${wanted[i]}`);
      });
    });
    expect({ tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() }, `left behind by ${name}`).to.deep.equal(
      before,
    );
  }
}
