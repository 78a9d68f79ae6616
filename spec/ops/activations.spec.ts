import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { ACTIVATIONS, type ActivationName } from '../../src/ops/activations';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';
import { maxDifference } from '../support/reference';

/** In float64; erf by its power series. */
const scalar: Record<ActivationName, (x: number) => number> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  gelu_new: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  gelu_pytorch_tanh: (x) => scalar.gelu_new(x),
  relu: (x) => Math.max(0, x),
};

function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

describe('ACTIVATIONS', () => {
  forEachBackend(() => {
    const inputs = [0, 1, -1, 2.5, ...normals(23, 1)];

    for (const name of Object.keys(ACTIVATIONS) as ActivationName[]) {
      it(`${name} has the values of its formula`, () => {
        expect(
          maxDifference(
            tf.tidy(() => ACTIVATIONS[name](tf.tensor1d(inputs)).dataSync()),
            inputs.map(scalar[name]),
          ),
        ).to.be.below(2e-6);
      });

      it(`${name} has the gradient of central differences`, () => {
        const at = inputs.filter((x) => Math.abs(x) > 1e-3); // relu has none at 0
        const gradient = tf.tidy(() =>
          tf
            .grad((x: tf.Tensor) => tf.sum(ACTIVATIONS[name](x)))(tf.tensor1d(at))
            .dataSync(),
        );
        expect(
          maxDifference(
            gradient,
            at.map((x) => (scalar[name](x + 1e-5) - scalar[name](x - 1e-5)) / 2e-5),
          ),
        ).to.be.below(5e-6);
      });
    }

    it('differ where the approximation does: the tanh form of GELU from the exact one by about 1e-4', () => {
      const [exact, approximate] = tf.tidy(() =>
        (['gelu', 'gelu_new'] as const).map((name) => ACTIVATIONS[name](tf.tensor1d([2])).dataSync()[0]),
      );
      expect(Math.abs(exact - approximate)).to.be.within(5e-5, 5e-4);
    });
  });
});
