import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { AdamW } from '../../../src/optimizers/adamw';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth } from './on_both';
import { withLimits } from './with_limits';

describe('AdamW', () => {
  onWebGpu(() => {
    it('equals the composed update over five steps on every size', async () => {
      for (const size of [1, 3, 64, 67]) {
        await expectSameOnBoth(() => {
          const weight = tf.variable(floats([size, 1], 1));
          const optimizer = new AdamW({ learningRate: 0.1, weightDecay: 0.3 });
          for (let seed = 0; seed < 5; seed++)
            optimizer.applyGradients([{ name: weight.name, tensor: floats([size, 1], 20 + seed) }]);
          const value = tf.clone(weight);
          optimizer.dispose();
          weight.dispose();
          return [value];
        }, 2e-6);
      }
    });

    it('updates a weight that is larger than a shader can bind, its moments zeros at first', async () => {
      await withLimits({ maxStorageBufferBindingSize: 64 * 1024 }, () =>
        expectSameOnBoth(() => {
          const weight = tf.variable(floats([1511, 37], 1));
          tf.dispose(tf.add(floats([1511, 37], 5), 1)); // leaves its memory to what comes next
          const optimizer = new AdamW({ learningRate: 0.1 });
          for (let seed = 0; seed < 2; seed++)
            optimizer.applyGradients([{ name: weight.name, tensor: floats([1511, 37], 20 + seed) }]);
          const value = tf.clone(weight);
          optimizer.dispose();
          weight.dispose();
          return [value];
        }, 2e-6),
      );
    });

    it('writes over the moments, and what was read of them before is not read again', async () => {
      const weight = tf.tidy(() => tf.variable(floats([5, 7], 1)));
      const optimizer = new AdamW({ learningRate: 0.1 });
      const moments = async (): Promise<{ place: object; values: number[] }[]> => {
        const [steps, ...both] = await optimizer.getWeights();
        steps.tensor.dispose();
        return Promise.all(
          both.map(async ({ tensor }) => ({ place: tensor.dataId, values: [...(await tensor.data())] })),
        );
      };
      const step = (): void =>
        tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5, 7], 2) }]));
      step();
      const before = await moments();
      step();
      const after = await moments();
      expect(after.map(({ place }) => place)).to.deep.equal(before.map(({ place }) => place));
      // with the same gradient g, m goes from 0.1 g to 0.19 g and v from 0.001 g^2 to 0.001999 g^2
      [1.9, 1.999].forEach((growth, which) =>
        after[which].values.forEach((value, i) => expect(value).to.be.closeTo(growth * before[which].values[i], 1e-6)),
      );
      optimizer.dispose();
      weight.dispose();
    });

    it('leaves what else holds the moments or the weight as it was', async () => {
      const weight = tf.tidy(() => tf.variable(floats([5, 7], 1)));
      const optimizer = new AdamW({ learningRate: 0.1 });
      const step = (): void =>
        tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5, 7], 2) }]));
      step();
      const [steps, ...moments] = await optimizer.getWeights();
      const held = [tf.clone(weight), tf.reshape(weight, [35]), ...moments.map(({ tensor }) => tf.clone(tensor))];
      const read = (): Promise<number[][]> =>
        Promise.all(held.map(async (x) => tf.tidy(() => tf.mul(x, 1)).array() as Promise<number[]>));
      const values = await read();
      step();
      expect(await read()).to.deep.equal(values);
      optimizer.dispose();
      tf.dispose([steps.tensor, weight, ...held]);
    });
  });
});
