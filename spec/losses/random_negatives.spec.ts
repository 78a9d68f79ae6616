import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { randomNegatives } from '../../src/losses';
import { forEachBackend } from '../support/backends';

const V = 40;
const LABELS = [3, 0, 39];
const COUNTS = [5, 0, 39];

describe('randomNegatives', () => {
  forEachBackend(() => {
    const mask = (): tf.Tensor2D =>
      tf.tensor2d(COUNTS.map((count) => Array.from({ length: V }, (_, v) => Number(v < count))));
    const draw = (seed: number, allowed: tf.Tensor2D | null = null): { mask: number[][]; weights: number[][] } =>
      tf.tidy(() => {
        const found = randomNegatives(mask(), tf.tensor1d(LABELS, 'int32'), seed, allowed);
        return { mask: found.mask.arraySync(), weights: found.weights.arraySync() };
      });
    const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

    it('draws as many tokens as there are negatives, with equal weights, never the label', () => {
      const { mask: chosen, weights } = draw(7);
      expect(chosen.map(sum)).to.deep.equal(COUNTS);
      chosen.forEach((row, p) => expect(row[LABELS[p]]).to.equal(0));
      chosen.forEach((row, p) =>
        row.forEach((one, v) => expect(weights[p][v]).to.be.closeTo(one / Math.max(1, COUNTS[p]), 1e-7)),
      );
    });

    it('draws the same for the same seed, and every token in turn', () => {
      expect(draw(7)).to.deep.equal(draw(7));
      expect(draw(7)).not.to.deep.equal(draw(8));
      const times = new Array<number>(V).fill(0);
      for (let seed = 1; seed <= 60; seed++) draw(seed).mask[0].forEach((one, v) => (times[v] += one));
      expect(Math.min(...times.filter((_, v) => v !== LABELS[0]))).to.be.above(0); // 300 draws of 39 tokens
    });

    it('draws from the allowed tokens alone', () => {
      const allowed = tf.tensor2d(COUNTS.map(() => Array.from({ length: V }, (_, v) => Number(v % 2 === 1))));
      const { mask: chosen } = draw(7, allowed);
      expect(chosen.map(sum)).to.deep.equal([5, 0, 19]); // 20 odd tokens, the label 39 among them
      for (const row of chosen) row.forEach((one, v) => expect(one === 1 && v % 2 === 0).to.equal(false));
      allowed.dispose();
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      draw(3);
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
