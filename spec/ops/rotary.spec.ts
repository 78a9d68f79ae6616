import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { applyRotary, rotaryTables } from '../../src/ops/rotary';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { maxDifference } from '../support/reference';

describe('applyRotary', () => {
  forEachBackend(() => {
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
      const product = (at: number, other: number): number => tf.tidy(() => tf.sum(tf.mul(rotate(q, [at], 6), rotate(k, [other], 6))).dataSync()[0]);
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
  });
});
