import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { applyRotary, rotaryTables } from '../../src/ops/rotary';
import { forEachForm, withoutOwnKernels } from '../kernels/without_own_kernels';
import { normals } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';

describe('applyRotary', () => {
  forEachForm(() => {
    const rotate = (x: tf.Tensor, positions: number[], size: number): tf.Tensor => {
      const { cos, sin } = rotaryTables(positions, size, 100);
      return applyRotary(x, tf.tensor(cos, [positions.length, size]), tf.tensor(sin, [positions.length, size]));
    };

    it('turns the pair (i, i + F/2) by position * theta^(-2i/F)', () => {
      // F = 4, theta = 100: pair 0 turns by 3, pair 1 by 3 / 10.
      const y = tf.tidy(() => rotate(tf.tensor2d([[1, 0, 0, 2]]), [3], 4).dataSync());
      expect(maxDifference(y, [Math.cos(3), -2 * Math.sin(0.3), Math.sin(3), 2 * Math.cos(0.3)])).to.be.below(1e-6);
    });

    it('makes a product depend on the distance of positions alone', () => {
      const [q, k] = [normals(6, 1), normals(6, 2)].map((values) => tf.tensor2d(values, [1, 6]));
      const product = (at: number, other: number): number =>
        tf.tidy(() => tf.sum(tf.mul(rotate(q, [at], 6), rotate(k, [other], 6))).dataSync()[0]);
      expect(product(9, 4)).to.be.closeTo(product(5, 0), 1e-4);
      expect(product(9, 4)).to.not.be.closeTo(product(9, 5), 1e-3);
    });

    it('has the opposite rotation as its gradient', () => {
      tf.tidy(() => {
        const x = tf.tensor2d(normals(18, 1), [3, 6]);
        const dy = tf.tensor2d(normals(18, 2), [3, 6]);
        const gradient = tf.grad((at: tf.Tensor) => tf.sum(tf.mul(rotate(at, [0, 1, 2], 6), dy)))(x);
        expect(maxDifference(gradient.dataSync(), rotate(dy, [0, -1, -2], 6).dataSync())).to.be.below(1e-6);
      });
    });

    it('has the values and gradient of the float64 formula', () => {
      const [T, F] = [5, 14];
      const { cos, sin } = rotaryTables([0, 1, 2, 3, 4], F, 100);
      const [x, dy] = [normals(T * F, 1), normals(T * F, 2)];
      const reference = (at: ArrayLike<number>): number[] =>
        Array.from(at, (value, i) => value * cos[i] + (i % F < F / 2 ? -at[i + F / 2] : at[i - F / 2]) * sin[i]);
      tf.tidy(() => {
        const op = (at: tf.Tensor): tf.Tensor => rotate(at, [0, 1, 2, 3, 4], F);
        expect(maxDifference(op(tf.tensor2d(x, [T, F])).dataSync(), reference(x))).to.be.below(1e-6);
        const gradient = tf.grad(op)(tf.tensor2d(x, [T, F]), tf.tensor2d(dy, [T, F]));
        expect(
          maxDifference(
            gradient.dataSync(),
            centralDifferences((at) => reference(at).reduce((sum, y, i) => sum + y * dy[i], 0), x),
          ),
        ).to.be.below(1e-6);
      });
    });

    it('gives each row of a batch its own tables where they have a batch', () => {
      tf.tidy(() => {
        const { cos, sin } = rotaryTables([0, 1, 2, 7, 8, 9], 6, 100); // rows of two sequences
        const x = tf.tensor4d(normals(2 * 5 * 3 * 6, 1), [2, 5, 3, 6]); // [B, H, T, F]
        const together = applyRotary(x, tf.tensor(cos, [2, 1, 3, 6]), tf.tensor(sin, [2, 1, 3, 6]));
        const alone = [
          [0, 1, 2],
          [7, 8, 9],
        ].map((positions, b) => rotate(tf.slice(x, [b], [1]), positions, 6));
        expect(maxDifference(together.dataSync(), tf.concat(alone, 0).dataSync())).to.be.below(1e-6);
      });
    });

    it('takes a single row without a batch, and no rows at all', () => {
      tf.tidy(() => {
        const row = tf.tensor1d(normals(6, 1));
        const { cos, sin } = rotaryTables([3], 6, 100);
        const alone = applyRotary(row, tf.tensor1d(cos), tf.tensor1d(sin));
        expect(maxDifference(alone.dataSync(), rotate(tf.reshape(row, [1, 6]), [3], 6).dataSync())).to.be.below(1e-6);
        expect(rotate(tf.zeros([2, 0, 6]), [], 6).shape).to.deep.equal([2, 0, 6]);
      });
    });
  });

  it('gives the same with its kernel and composed, on both sides of whole vectors', async () => {
    await tf.setBackend('wasm');
    for (const half of [1, 3, 4, 7, 16]) {
      const run = (): number[][] =>
        tf.tidy(() => {
          const shape = [2, 3, 5, 2 * half];
          const { cos, sin } = rotaryTables([0, 1, 2, 3, 4], 2 * half, 100);
          const op = (x: tf.Tensor): tf.Tensor =>
            applyRotary(x, tf.tensor(cos, [5, 2 * half]), tf.tensor(sin, [5, 2 * half]));
          const [x, dy] = [1, 2].map((seed) => tf.tensor(normals(60 * half, seed), shape));
          return [op(x), tf.grad(op)(x, dy)].map((y) => [...y.dataSync()]);
        });
      const composed = withoutOwnKernels(run);
      run().forEach((values, i) => expect(maxDifference(values, composed[i])).to.be.below(1e-6));
    }
  });
});
