import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import '../../support/backends';

describe('Identity on wasm', () => {
  before(async () => await tf.setBackend('wasm'));

  it('shares the memory of what it clones', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([3, 1, 4]);
      const before = tf.memory().numDataBuffers;
      const y = tf.clone(x);
      expect(y.dataId).to.equal(x.dataId);
      expect(tf.memory().numDataBuffers).to.equal(before);
      expect([...y.dataSync()]).to.deep.equal([3, 1, 4]);
    });
  });

  for (const [order, first] of [
    ['the original', 0],
    ['the clone', 1],
  ] as const) {
    it(`keeps the values of the other when ${order} is disposed first, and frees them with the last`, () => {
      const before = tf.memory();
      const pair = [
        tf.tensor2d(
          [
            [1, 2],
            [3, 5],
          ],
          [2, 2],
          'int32',
        ),
      ];
      pair.push(tf.clone(pair[0]));
      pair[first].dispose();
      expect([...tf.tidy(() => tf.mul(pair[1 - first], 2).dataSync())]).to.deep.equal([2, 4, 6, 10]);
      pair[1 - first].dispose();
      expect(tf.memory().numDataBuffers).to.equal(before.numDataBuffers);
      expect(tf.memory().numTensors).to.equal(before.numTensors);
    });
  }

  it('leaves a clone as it was when a variable that shares its memory is assigned', () => {
    const variable = tf.variable(tf.tensor1d([1, 2]));
    const kept = tf.clone(variable);
    const next = tf.tensor1d([7, 8]);
    variable.assign(next);
    expect([...kept.dataSync()]).to.deep.equal([1, 2]);
    expect([...variable.dataSync()]).to.deep.equal([7, 8]);
    tf.dispose([variable, kept, next]);
  });

  it('clones strings and empty tensors', () => {
    tf.tidy(() => {
      expect(tf.clone(tf.tensor1d(['a', 'b'])).dataSync()).to.deep.equal(['a', 'b']);
      expect(tf.clone(tf.zeros([0, 3])).shape).to.deep.equal([0, 3]);
    });
  });
});
