import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import type { ActivationName } from '../../src/ops/activations';
import { gated } from '../../src/ops/gated';
import { forEachForm, withoutOwnKernels } from '../kernels/without_own_kernels';
import { normals } from '../support/random';
import { centralDifferences, maxDifference } from '../support/reference';

/** In float64. */
const scalar: Partial<Record<ActivationName, (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu_new: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(0, x),
};

/** Rows [gate, up] of 2I numbers. */
function reference(joined: ArrayLike<number>, inner: number, activation: (x: number) => number): number[] {
  return Array.from({ length: joined.length / 2 }, (_, i) => {
    const at = 2 * inner * Math.floor(i / inner) + (i % inner);
    return activation(joined[at]) * joined[at + inner];
  });
}

describe('gated', () => {
  forEachForm(() => {
    it('is the activated gate times the other half', () => {
      // silu(0) = 0; silu(ln 3) = 3/4 ln 3
      const y = tf.tidy(() => gated(tf.tensor2d([[0, Math.log(3), 5, 8]]), 'silu').dataSync());
      expect(maxDifference(y, [0, 6 * Math.log(3)])).to.be.below(2e-6);
    });

    for (const [name, activation] of Object.entries(scalar)) {
      it(`has the values and gradient of the float64 formula with ${name}`, () => {
        const [rows, I] = [6, 7];
        const [x, dy] = [normals(rows * 2 * I, 1), normals(rows * I, 2)];
        tf.tidy(() => {
          const op = (at: tf.Tensor): tf.Tensor => gated(at, name as ActivationName);
          const joined = tf.tensor(x, [2, 3, 2 * I]);
          const y = op(joined);
          expect(y.shape).to.deep.equal([2, 3, I]);
          expect(maxDifference(y.dataSync(), reference(x, I, activation))).to.be.below(2e-6);
          const gradient = tf.grad(op)(joined, tf.tensor(dy, [2, 3, I]));
          const wanted = centralDifferences(
            (at) => reference(at, I, activation).reduce((sum, value, i) => sum + value * dy[i], 0),
            x,
          );
          expect(maxDifference(gradient.dataSync(), wanted)).to.be.below(5e-6);
        });
      });
    }

    it('stays finite where the gate is far from zero', () => {
      tf.tidy(() => {
        const joined = tf.tensor2d([[-1e4, 1e4, 2, 3]]);
        expect(maxDifference(gated(joined, 'silu').dataSync(), [0, 3e4])).to.equal(0);
        expect(
          maxDifference(
            tf
              .grad((x: tf.Tensor) => gated(x, 'silu'))(joined)
              .dataSync(),
            [0, 3, 0, 1e4],
          ),
        ).to.equal(0);
      });
    });

    it('takes empty tensors', () => {
      for (const [shape, wanted] of [
        [
          [0, 6],
          [0, 3],
        ],
        [
          [5, 0],
          [5, 0],
        ],
      ])
        expect(tf.tidy(() => gated(tf.zeros(shape), 'silu').shape)).to.deep.equal(wanted);
    });

    it('refuses a last size without halves', () => {
      expect(() => tf.tidy(() => gated(tf.zeros([2, 5]), 'silu'))).to.throw(/even/);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      tf.tidy(() => void tf.grad((x: tf.Tensor) => gated(x, 'silu'))(tf.ones([3, 10])));
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('gives the same with its kernel and composed, on both sides of whole vectors', async () => {
    await tf.setBackend('wasm');
    for (const I of [1, 3, 4, 7, 8, 31]) {
      const run = (): number[][] =>
        tf.tidy(() => {
          const op = (x: tf.Tensor): tf.Tensor => gated(x, 'silu');
          const joined = tf.tensor(normals(6 * I, 1), [3, 2 * I]);
          return [op(joined), tf.grad(op)(joined, tf.tensor(normals(3 * I, 2), [3, I]))].map((y) => [...y.dataSync()]);
        });
      const composed = withoutOwnKernels(run);
      run().forEach((values, i) => expect(maxDifference(values, composed[i])).to.be.below(5e-6));
    }
  });
});
