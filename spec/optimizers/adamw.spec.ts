import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { AdamW, type AdamWOptions } from '../../src/optimizers/adamw';
import { forEachBackend } from '../support/backends';
import { normals } from '../support/random';

describe('AdamW', () => {
  forEachBackend(() => {
    let variables: tf.Variable[] = [];
    afterEach(() => {
      tf.dispose(variables);
      variables = [];
    });

    function variable(values: tf.TensorLike, shape?: number[]): tf.Variable {
      const made = tf.tidy(() => tf.variable(tf.tensor(values, shape)));
      variables.push(made);
      return made;
    }

    /** One step with the given gradient for each variable. */
    function step(optimizer: AdamW, gradients: number[][]): void {
      const named = variables.map((v, i) => ({ name: v.name, tensor: tf.tensor(gradients[i], v.shape) }));
      optimizer.applyGradients(named);
      tf.dispose(named.map(({ tensor }) => tensor));
    }

    it('moves the first step by the learning rate against the sign of the gradient, after decaying matrices only', () => {
      // m / (1 - b1) = g and v / (1 - b2) = g^2, so the step is lr * sign(g); decay takes 0.1 * 0.5 of the matrix
      // first.
      const matrix = variable([[1, -2]]);
      const bias = variable([1, -2]);
      const optimizer = new AdamW({ learningRate: 0.1, weightDecay: 0.5 });
      step(optimizer, [
        [3, -0.2],
        [3, -0.2],
      ]);
      expectClose(matrix, [0.95 - 0.1, -1.9 + 0.1]);
      expectClose(bias, [0.9, -1.9]);
      optimizer.dispose();
    });

    it('equals tfjs Adam where nothing decays and nothing is clipped', () => {
      const [a, b] = [variable(normals(15, 1), [3, 5]), variable(normals(15, 1), [3, 5])];
      const ours = new AdamW({ learningRate: 0.05, weightDecay: 0, epsilon: 1e-7 });
      const stock = tf.train.adam(0.05, 0.9, 0.999, 1e-7);
      const loss = (x: tf.Variable) => (): tf.Scalar => tf.sum(tf.square(tf.sub(x, 0.3))) as tf.Scalar;
      for (let i = 0; i < 7; i++) {
        ours.minimize(loss(a), false, [a]);
        stock.minimize(loss(b), false, [b]);
      }
      expectClose(a, Array.from(b.dataSync()));
      ours.dispose();
      stock.dispose();
    });

    it('scales all gradients together where their global norm is above clipNorm', () => {
      variable([0, 0]);
      variable([0]);
      const optimizer = new AdamW({ learningRate: 1, clipNorm: 2, epsilon: 1 }); // a large epsilon lets the gradient's size show
      step(optimizer, [[3, 0], [4]]); // norm 5, scaled by 2 / 5 to 1.2 and 1.6
      expectClose(variables[0], [-1.2 / 2.2, 0]);
      expectClose(variables[1], [-1.6 / 2.6]);
      optimizer.dispose();
    });

    it('makes a step of no gradient at all, clipped or not', () => {
      const x = variable([1, 2]);
      const optimizer = new AdamW({ learningRate: 1, clipNorm: 1 });
      optimizer.applyGradients([]);
      optimizer.applyGradients([{ name: x.name, tensor: null as unknown as tf.Tensor }]); // as `minimize` hands on a weight without a gradient
      expectClose(x, [1, 2]);
      expect(optimizer.iterations).to.equal(2);
      optimizer.dispose();
    });

    it('follows a schedule', () => {
      const x = variable([0]);
      const optimizer = new AdamW({
        learningRate: { kind: 'constant', learningRate: 0.4, warmupSteps: 4, totalSteps: 10 },
        weightDecay: 0,
      });
      expect(optimizer.learningRate).to.be.closeTo(0.1, 1e-12);
      step(optimizer, [[1]]);
      expectClose(x, [-0.1]);
      expect(optimizer.learningRate).to.be.closeTo(0.2, 1e-12);
      optimizer.dispose();
    });

    it('takes another constant rate between steps, which is also the one that is saved', () => {
      const x = variable([0]);
      const optimizer = new AdamW({ learningRate: 0.1, weightDecay: 0 });
      step(optimizer, [[1]]);
      optimizer.learningRate = 0.01;
      expect(optimizer.learningRate).to.equal(0.01);
      step(optimizer, [[1]]); // the gradient is the same, so m / sqrt(v) is 1
      expectClose(x, [-0.11]);
      expect(optimizer.getConfig().learningRate).to.equal(0.01);
      optimizer.dispose();
    });

    it('goes on from its saved state with the same numbers', async () => {
      const options: AdamWOptions = { learningRate: 0.1, clipNorm: 1 };
      const gradients = [0, 1, 2, 3].map((seed) => [Array.from(normals(6, 10 + seed))]);
      const whole = variable(normals(6, 2), [2, 3]);
      const first = new AdamW(options);
      for (const gradient of gradients) step(first, gradient);

      variables = [whole];
      const half = variable(normals(6, 2), [2, 3]);
      variables = [half];
      const before = new AdamW(options);
      step(before, gradients[0]);
      step(before, gradients[1]);
      const saved = await before.getWeights();
      const after = new AdamW(options);
      await after.setWeights(saved);
      step(after, gradients[2]);
      step(after, gradients[3]);
      variables = [whole, half];
      expect(Array.from(half.dataSync())).to.deep.equal(Array.from(whole.dataSync()));
      tf.dispose(saved[0].tensor);
      for (const optimizer of [first, before, after]) optimizer.dispose();
    });

    it('is rebuilt from its config', () => {
      const made = new AdamW({
        learningRate: 0.25,
        beta1: 0.8,
        beta2: 0.9,
        epsilon: 0.1,
        weightDecay: 0.2,
        clipNorm: 3,
      });
      const again = AdamW.fromConfig(AdamW, made.getConfig());
      expect(again.getConfig()).to.deep.equal(made.getConfig());
    });

    it('refuses the state of another model', async () => {
      variable([1, 2, 3]);
      const optimizer = new AdamW({ learningRate: 1 });
      const wrong = ['iter', 'm', 'v'].map((name, i) => ({
        name,
        tensor: i === 0 ? tf.scalar(1, 'int32') : tf.zeros([5]),
      }));
      await optimizer.setWeights(wrong);
      expect(() => step(optimizer, [[1, 2, 3]])).to.throw(
        /AdamW: the restored state of weight 0 must have the shape of .*, \[3\], got \[5\]; resume with the model the state came from/,
      );
      tf.dispose(wrong.map(({ tensor }) => tensor));
      optimizer.dispose();
    });

    it('leaves no tensor behind', () => {
      variable(normals(6, 3), [2, 3]);
      const before = tf.memory().numTensors;
      const optimizer = new AdamW({ learningRate: 0.1, clipNorm: 1 });
      for (let i = 0; i < 3; i++) step(optimizer, [[1, 2, 3, 4, 5, 6]]);
      expect(tf.memory().numTensors).to.equal(before + 2); // the two moments
      optimizer.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  });

  it('refuses coefficients out of range', () => {
    expect(() => new AdamW({ learningRate: -1 })).to.throw('AdamW: learningRate must be 0 or more, got -1');
    expect(() => new AdamW({} as { learningRate: number })).to.throw(
      'AdamW: learningRate must be given, got none; 1e-3 is usual for a new model, 1e-4 for an adapter',
    );
    expect(() => (new AdamW({ learningRate: 1 }).learningRate = NaN)).to.throw(
      'AdamW: learningRate must be 0 or more, got NaN',
    );
    const scheduled = new AdamW({ learningRate: () => 1 });
    expect(() => (scheduled.learningRate = 0.5)).to.throw(
      'AdamW: learningRate must be a number to be assigned, got a schedule and 0.5; change the schedule that the optimizer was made with',
    );
    expect(() => new AdamW({ learningRate: 1, beta1: 1 })).to.throw('AdamW: beta1 must be in [0, 1), got 1');
    expect(() => new AdamW({ learningRate: 1, weightDecay: -1 })).to.throw(
      'AdamW: weightDecay must be 0 or more, got -1',
    );
  });
});

function expectClose(actual: tf.Tensor, expected: number[]): void {
  const values = actual.dataSync();
  expect(values.length).to.equal(expected.length);
  expected.forEach((value, i) => expect(values[i]).to.be.closeTo(value, 1e-5));
}
