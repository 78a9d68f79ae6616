import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { attention, causalMask, paddingMask } from '../../src/ops/attention';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { maxDifference } from '../support/reference';

describe('attention', () => {
  forEachBackend(() => {
    const make = (shape: [number, number, number, number], seed: number): tf.Tensor4D =>
      tf.tensor4d(
        normals(
          shape.reduce((a, b) => a * b),
          seed,
        ),
        shape,
      );

    it('averages the values of equal keys, each query only up to its own position', () => {
      const value = tf.tensor4d([1, 2, 6], [1, 1, 3, 1]);
      const same = tf.ones<tf.Rank.R4>([1, 1, 3, 1]);
      expect(
        maxDifference(
          tf.tidy(() => attention(same, same, value, causalMask(3)).dataSync()),
          [1, 1.5, 3],
        ),
      ).to.be.below(1e-6);
    });

    it('gives grouped heads what repeated keys and values give', () => {
      tf.tidy(() => {
        const [query, key, value] = [make([2, 6, 5, 3], 1), make([2, 2, 5, 3], 2), make([2, 2, 5, 3], 3)];
        const repeat = (x: tf.Tensor4D): tf.Tensor4D => tf.gather(x, tf.tensor1d([0, 0, 0, 1, 1, 1], 'int32'), 1);
        const grouped = attention(query, key, value, causalMask(5));
        expect(
          maxDifference(grouped.dataSync(), attention(query, repeat(key), repeat(value), causalMask(5)).dataSync()),
        ).to.be.below(1e-6);
      });
    });

    it('does not see padding', () => {
      tf.tidy(() => {
        const [query, key, value] = [make([1, 2, 4, 3], 1), make([1, 2, 4, 3], 2), make([1, 2, 4, 3], 3)];
        const masked = attention(query, key, value, tf.add(causalMask(4), paddingMask(tf.tensor2d([[0, 1, 1, 1]]))));
        const later = (x: tf.Tensor4D): tf.Tensor4D => tf.slice(x, [0, 0, 1, 0], [1, 2, 3, 3]);
        const bare = attention(later(query), later(key), later(value), causalMask(3));
        expect(maxDifference(later(masked).dataSync(), bare.dataSync())).to.be.below(1e-6);
        expect([...masked.dataSync()].every(Number.isFinite)).to.equal(true);
      });
    });
  });
});
