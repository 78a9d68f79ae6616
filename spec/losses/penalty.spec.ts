import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { PENALTIES } from '../../src/losses/penalty';
import { forEachBackend } from '../support/backends';

describe('PENALTIES', () => {
  const names = ['scale', 'paper', 'additive'] as const;
  const logits = [-2.5, -0.5, 0, 0.5, 3];

  it('are |z|, z and 1, with their derivatives', () => {
    const wanted = {
      scale: [
        [2.5, 0.5, 0, 0.5, 3],
        [-1, -1, 0, 1, 1],
      ],
      paper: [logits, [1, 1, 1, 1, 1]],
      additive: [
        [1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0],
      ],
    };
    for (const name of names) {
      const found = logits.map((z) => PENALTIES[name].ofNumber(z));
      expect(
        found.map(([strength]) => strength),
        name,
      ).to.deep.equal(wanted[name][0]);
      expect(
        found.map(([, slope]) => slope),
        name,
      ).to.deep.equal(wanted[name][1]);
    }
  });

  it('have the numbers that the kernels know them by', () => {
    expect(names.map((name) => PENALTIES[name].kind)).to.deep.equal([0, 1, 2]);
  });

  forEachBackend(() => {
    it('are the same of a tensor as of a number', () => {
      for (const name of names) {
        const { strength, slope, ofNumber } = PENALTIES[name];
        const [s, ds] = tf.tidy(() => {
          const z = tf.tensor1d(logits);
          return [strength(z), slope(z)].map((each) => [...tf.mul(each, tf.onesLike(z)).dataSync()]);
        });
        expect(
          logits.map((_, i) => [s[i], ds[i]]),
          name,
        ).to.deep.equal(logits.map(ofNumber));
      }
    });
  });
});
