import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { AdamW } from '../../../src/optimizers/adamw';
import { onTensorFlow } from '../../support/backends';
import { maxDifference } from '../../support/reference';
import { floats } from '../against_cpu';
import { withoutOwnKernels } from '../without_own_kernels';

/** TensorFlow takes 1 - beta2 in float32, 1.3e-5 off for .999, so that steps of .1 differ by up to 7e-7 at first. */
const TOLERANCE = 5e-6;

/** The weight and its moments after some steps, each with its gradient. */
async function train(
  shape: number[],
  steps: number,
  options: { weightDecay?: number; epsilon?: number } = {},
): Promise<Float32Array[]> {
  const weight = tf.tidy(() => tf.variable(floats(shape, 1)));
  const optimizer = new AdamW({ learningRate: 0.1, ...options });
  for (let seed = 0; seed < steps; seed++)
    tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats(shape, 20 + seed) }]));
  const [count, ...moments] = await optimizer.getWeights();
  const values = [weight, ...moments.map(({ tensor }) => tensor)].map((tensor) => tensor.dataSync<'float32'>());
  optimizer.dispose();
  tf.dispose([weight, count.tensor]);
  return values;
}

describe('AdamW by TensorFlow’s own update', () => {
  onTensorFlow(() => {
    it('equals the composed update of cpu over five steps, with decay and without', async () => {
      for (const shape of [[1], [7], [31, 5], [300, 300]]) {
        for (const options of [{ weightDecay: 0 }, { weightDecay: 0.3 }, { epsilon: 0.1 }]) {
          const ours = await train(shape, 5, options);
          await tf.setBackend('cpu');
          const wanted = await train(shape, 5, options);
          await tf.setBackend('tensorflow');
          ours.forEach((values, i) => expect(maxDifference(values, wanted[i])).to.be.below(TOLERANCE));
        }
      }
    });

    it('keeps three of TensorFlow’s variables and no more, however many weights there are', () => {
      const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors: () => number } };
      const before = binding.getNumOfTensors();
      const weights = [3, 5, 7].map((size) => tf.tidy(() => tf.variable(floats([size], size))));
      const optimizer = new AdamW({ learningRate: 0.1 });
      for (let i = 0; i < 3; i++)
        tf.tidy(() =>
          optimizer.applyGradients(weights.map((weight) => ({ name: weight.name, tensor: tf.ones(weight.shape) }))),
        );
      optimizer.dispose();
      tf.dispose(weights);
      expect(binding.getNumOfTensors()).to.equal(before);
    });

    it('makes the first step the learning rate, whatever the gradient’s size', () => {
      tf.tidy(() => {
        const weight = tf.variable(tf.tensor1d([1, 1, 1]));
        const optimizer = new AdamW({ learningRate: 0.5 });
        optimizer.applyGradients([{ name: weight.name, tensor: tf.tensor1d([1e-3, -40, 0]) }]); // m / sqrt(v) = sign(g)
        [0.5, 1.5, 1].forEach((value, i) => expect(weight.dataSync()[i]).to.be.closeTo(value, 1e-5));
        optimizer.dispose();
        weight.dispose();
      });
    });

    it('writes over the moments', async () => {
      const weight = tf.tidy(() => tf.variable(floats([5, 7], 1)));
      const optimizer = new AdamW({ learningRate: 0.1 });
      const places = async (): Promise<object[]> => {
        const [steps, ...moments] = await optimizer.getWeights();
        steps.tensor.dispose();
        return moments.map(({ tensor }) => tensor.dataId);
      };
      const step = (): void =>
        tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5, 7], 2) }]));
      step();
      const before = await places();
      step();
      expect(await places()).to.deep.equal(before);
      optimizer.dispose();
      weight.dispose();
    });

    const holders: Record<string, (weight: tf.Tensor) => tf.Tensor> = {
      'a clone': (weight) => tf.clone(weight),
      'another shape': (weight) => tf.reshape(weight, [35]),
      'a part': (weight) => tf.slice(weight, 0, [2]),
      'a variable made of it': (weight) => tf.variable(weight),
    };
    for (const [what, hold] of Object.entries(holders)) {
      for (const weightDecay of [0, 0.1]) {
        it(`leaves ${what} of a weight as it was, decay ${weightDecay}`, () => {
          const before = { tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() };
          const weight = tf.tidy(() => tf.variable(floats([5, 7], 1)));
          const optimizer = new AdamW({ learningRate: 0.1, weightDecay });
          const gradient = floats([5, 7], 2);
          // from here on nothing else holds the weight
          optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
          const held = hold(weight);
          const [values, whole] = [[...held.dataSync()], [...weight.dataSync()]];
          optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
          expect([...held.dataSync()]).to.deep.equal(values);
          expect([...weight.dataSync()]).not.to.deep.equal(whole);
          expect([...gradient.dataSync()]).to.deep.equal([...tf.tidy(() => floats([5, 7], 2).dataSync())]);
          optimizer.dispose();
          tf.dispose([weight, held, gradient]);
          expect({ tensors: tf.memory().numTensors, ids: tf.backend().numDataIds() }).to.deep.equal(before);
        });
      }
    }

    it('leaves numbers that weight and moments were made of as they were', async () => {
      const numbers = [1, 2, 3].map((seed) => Float32Array.from({ length: 4096 }, (_, i) => 1 + ((seed * i) % 7)));
      const copies = numbers.map((values) => [...values]);
      const weight = tf.tidy(() => tf.variable(tf.tensor1d(numbers[0])));
      const optimizer = new AdamW({ learningRate: 0.1 });
      await optimizer.setWeights([
        { name: 'iter', tensor: tf.scalar(3, 'int32') },
        { name: 'm', tensor: tf.tensor1d(numbers[1]) },
        { name: 'v', tensor: tf.tensor1d(numbers[2]) },
      ]);
      for (let i = 0; i < 3; i++)
        tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: tf.ones([4096]) }]));
      expect(numbers.map((values) => [...values])).to.deep.equal(copies);
      optimizer.dispose();
      weight.dispose();
    });

    it('keeps weight and moments when the gradient has another shape, and says so', () => {
      const weight = tf.tidy(() => tf.variable(floats([5], 1)));
      const optimizer = new AdamW({ learningRate: 0.1 });
      tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5], 2) }]));
      const values = [...weight.dataSync()];
      expect(() => tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([4], 2) }]))).to.throw(
        /same shape/,
      );
      expect([...weight.dataSync()]).to.deep.equal(values);
      tf.tidy(() => optimizer.applyGradients([{ name: weight.name, tensor: floats([5], 2) }]));
      expect([...weight.dataSync()]).not.to.deep.equal(values);
      optimizer.dispose();
      weight.dispose();
    });

    it('gives the same bits each time, and the composed update without own kernels', async () => {
      const whole = await train([31, 5], 4);
      expect(maxDifference(whole[0], (await train([31, 5], 4))[0])).to.equal(0);
      expect(maxDifference(whole[0], (await withoutOwnKernels(() => train([31, 5], 4)))[0])).to.be.below(TOLERANCE);
    });
  });
});
