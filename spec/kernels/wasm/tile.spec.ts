import * as tf from '@tensorflow/tfjs-core';
import { bools, expectSameAsCpu, floats, ints } from '../against_cpu';

describe('Tile on wasm', () => {
  it('agrees with cpu for every kind of repetition', async () => {
    for (const reps of [
      [1, 1, 1],
      [3, 1, 1],
      [1, 5, 1],
      [1, 1, 7],
      [2, 3, 5],
      [0, 1, 1],
    ]) {
      for (const shape of [
        [5, 3, 2],
        [1, 3, 1],
        [1, 1, 1],
        [2, 1, 11],
      ])
        await expectSameAsCpu(() => tf.tile(floats(shape, 1), reps));
    }
  });

  it('moves integers and truth values too', async () => {
    await expectSameAsCpu(() => tf.tile(ints([3, 5], 100, 1), [2, 3]));
    await expectSameAsCpu(() => tf.tile(bools([3, 5], 1), [2, 3]));
  });

  it('gives empty results for empty input', async () => {
    await expectSameAsCpu(() => tf.tile(floats([0, 5], 1), [2, 3]));
  });

  it('serves broadcastTo, where and gradients', async () => {
    await expectSameAsCpu(() => tf.broadcastTo(floats([7, 1], 1), [5, 7, 11]));
    await expectSameAsCpu(() => tf.where(bools([7, 11], 1), floats([7, 11], 2), tf.scalar(3)));
    await expectSameAsCpu(() => tf.grad((x) => tf.square(tf.tile(x, [2, 3])))(floats([5, 7], 1)), 1e-6);
  });
});
