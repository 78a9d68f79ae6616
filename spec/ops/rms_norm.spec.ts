import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { rmsNorm } from '../../src/ops/rms_norm';
import { forEachForm, withoutOwnKernels } from '../kernels/without_own_kernels';
import { normals } from '../support/random';
import { centralDifferences, maxDifference, toRows } from '../support/reference';

const D = 5;
const EPSILON = 0.01;

function reference(x: ArrayLike<number>, w: ArrayLike<number>): number[] {
  return toRows(x, D).flatMap((row) => {
    const r = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / D + EPSILON);
    return row.map((v, i) => v * r * w[i]);
  });
}

describe('rmsNorm', () => {
  forEachForm(() => {
    it('divides by the root mean square', () => {
      // rms of (3, 4) is sqrt(12.5)
      const y = tf.tidy(() => rmsNorm(tf.tensor2d([[3, 4]]), tf.tensor1d([1, 10]), 0).dataSync());
      expect(maxDifference(y, [3 / Math.sqrt(12.5), 40 / Math.sqrt(12.5)])).to.be.below(1e-5);
    });

    it('has the values and gradients of the float64 formula, on any rank', () => {
      const [x, w, dy] = [normals(2 * 3 * D, 1), normals(D, 2), normals(2 * 3 * D, 3)];
      const value = (at: ArrayLike<number>, scale: ArrayLike<number>): number =>
        reference(at, scale).reduce((sum, y, i) => sum + y * dy[i], 0);
      tf.tidy(() => {
        const weighted = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
          tf.sum(tf.mul(rmsNorm(a, b as tf.Tensor1D, EPSILON), tf.tensor(dy, [2, 3, D])));
        const [dx, dw] = tf.grads(weighted)([tf.tensor(x, [2, 3, D]), tf.tensor1d(w)]);
        expect(
          maxDifference(rmsNorm(tf.tensor(x, [2, 3, D]), tf.tensor1d(w), EPSILON).dataSync(), reference(x, w)),
        ).to.be.below(1e-5);
        expect(
          maxDifference(
            dx.dataSync(),
            centralDifferences((at) => value(at, w), x),
          ),
        ).to.be.below(1e-5);
        expect(
          maxDifference(
            dw.dataSync(),
            centralDifferences((at) => value(x, at), w),
          ),
        ).to.be.below(1e-5);
      });
    });

    it('is finite on a row of zeros', () => {
      expect([...tf.tidy(() => rmsNorm(tf.zeros([1, D]), tf.ones([D])).dataSync())]).to.deep.equal([0, 0, 0, 0, 0]);
    });

    it('leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      tf.tidy(
        () =>
          void tf.grads((x: tf.Tensor, w: tf.Tensor) => rmsNorm(x, w as tf.Tensor1D))([tf.ones([3, D]), tf.ones([D])]),
      );
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('gives the same with its kernel and composed, on both sides of whole vectors', async () => {
    await tf.setBackend('wasm');
    for (const size of [1, 3, 4, 7, 8, 31]) {
      const run = (): number[][] =>
        tf.tidy(() => {
          const inputs = [tf.tensor(normals(3 * size, 1), [3, size]), tf.tensor1d(normals(size, 2))];
          const op = (x: tf.Tensor, w: tf.Tensor): tf.Tensor => rmsNorm(x, w as tf.Tensor1D, EPSILON);
          return [op(inputs[0], inputs[1]), ...tf.grads(op)(inputs, tf.tensor(normals(3 * size, 3), [3, size]))].map(
            (y) => [...y.dataSync()],
          );
        });
      const composed = withoutOwnKernels(run);
      run().forEach((values, i) => expect(maxDifference(values, composed[i])).to.be.below(1e-5));
    }
  });
});
