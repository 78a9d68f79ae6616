import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { bools, expectSameAsCpu, floats, ints } from '../against_cpu';

describe('GatherV2 on wasm', () => {
  it('agrees with cpu on every axis, for short and long slices', async () => {
    for (const shape of [
      [7, 5, 3],
      [5, 41],
      [11, 2, 23],
    ]) {
      for (let axis = -shape.length; axis < shape.length; axis++) {
        await expectSameAsCpu(() => tf.gather(floats(shape, 1), ints([13], shape.at(axis)!, 2), axis));
      }
    }
  });

  it('copies rows of every size around the four lanes and the blocks of 128 bytes', async () => {
    for (const size of [1, 2, 3, 4, 5, 7, 8, 31, 32, 33]) {
      await expectSameAsCpu(() => tf.gather(floats([7, size], 1), ints([11], 7, 2)));
      await expectSameAsCpu(() => tf.gather(ints([7, size], 1000, 1), ints([11], 7, 2)));
      await expectSameAsCpu(() => tf.gather(floats([3, 7, size], 1), ints([3, 5], 7, 2), 1, 1));
    }
  });

  it('takes indices of several dimensions and of none', async () => {
    await expectSameAsCpu(() => tf.gather(floats([7, 19], 1), ints([2, 3, 5], 7, 2)));
    await expectSameAsCpu(() => tf.gather(floats([7, 19], 1), tf.scalar(3, 'int32')));
  });

  it('gathers per batch, which tfjs itself gets wrong', async () => {
    await expectSameAsCpu(() => tf.gather(floats([3, 7, 5], 1), ints([3, 11], 7, 2), 1, 1));
    await expectSameAsCpu(() => tf.gather(floats([3, 7, 29], 1), ints([3, 2], 7, 2), 1, 1));
    await expectSameAsCpu(() => tf.gather(floats([2, 3, 7], 1), ints([2, 5], 7, 2), 2, 1));
    await expectSameAsCpu(() => tf.gather(floats([2, 3, 7, 5], 1), ints([2, 3, 11], 7, 2), 2, 2));
  });

  it('moves integers and truth values too', async () => {
    await expectSameAsCpu(() => tf.gather(ints([7, 19], 100, 1), ints([5], 7, 2)));
    await expectSameAsCpu(() => tf.gather(bools([7, 19], 1), ints([5], 7, 2)));
  });

  it('gives empty results for empty input', async () => {
    await expectSameAsCpu(() => tf.gather(floats([7, 3], 1), tf.tensor1d([], 'int32')));
    await expectSameAsCpu(() => tf.gather(floats([7, 0], 1), ints([2], 7, 1)));
    await expectSameAsCpu(() => tf.gather(floats([0, 3], 1), tf.tensor1d([], 'int32')));
    await expectSameAsCpu(() => tf.gather(floats([5, 7, 3], 1), tf.tensor2d([], [0, 2], 'int32'), 1));
  });

  it("has cpu's gradient", async () => {
    await expectSameAsCpu(() => tf.grad((x) => tf.square(tf.gather(x, ints([2, 11], 7, 2))))(floats([7, 5], 1)), 1e-6);
    await expectSameAsCpu(
      () => tf.grad((x) => tf.square(tf.gather(x, ints([11], 5, 2), 1)))(floats([7, 5, 3], 1)),
      1e-6,
    );
  });

  it('names an index out of range and leaves nothing behind', async () => {
    await tf.setBackend('wasm');
    const before = tf.memory().numDataBuffers;
    for (const index of [7, -1]) {
      expect(() => tf.tidy(() => tf.gather(floats([7, 3], 1), tf.tensor1d([2, index], 'int32')))).to.throw(
        `GatherV2: the index value ${index} is not in [0, 6]`,
      );
    }
    expect(tf.memory().numDataBuffers).to.equal(before);
  });
});
