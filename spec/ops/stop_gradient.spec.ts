import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { stopGradient } from '../../src/ops/stop_gradient';
import { forEachBackend } from '../support/backends';

describe('stopGradient', () => {
  forEachBackend(() => {
    it('keeps the values and lets no gradient through, even where the next operation has none', () => {
      tf.tidy(() => {
        const x = tf.tensor1d([1, -2, 3]);
        const f = (at: tf.Tensor): tf.Tensor => tf.sum(tf.mul(at, tf.cast(tf.greater(stopGradient(at), 0), 'float32')));
        expect([...stopGradient(x).dataSync()]).to.deep.equal([1, -2, 3]);
        expect([...tf.grad(f)(x).dataSync()]).to.deep.equal([1, 0, 1]);
      });
    });

    it('outlives its input and leaves no tensor behind', () => {
      const before = tf.memory().numTensors;
      const x = tf.tensor1d([1, 2]);
      const y = stopGradient(x);
      x.dispose();
      expect([...y.dataSync()]).to.deep.equal([1, 2]);
      y.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
