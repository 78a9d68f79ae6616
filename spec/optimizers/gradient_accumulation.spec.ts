import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { ilrec } from '../../src/ilrec/ilrec';
import { crossEntropy } from '../../src/losses';
import { causalLM } from '../../src/models/causal_lm';
import { readWeights, restoreSnapshot, takeSnapshot } from '../../src/checkpoints/training_snapshot';
import { AdamW } from '../../src/optimizers/adamw';
import { accumulateGradients, AccumulatedOptimizer } from '../../src/optimizers/gradient_accumulation';
import { sft } from '../../src/tapped/sft';
import { forEachBackend } from '../support/backends';
import { datasetOf } from '../support/datasets';
import { messageOf } from '../support/folders';
import { integers } from '../support/random';
import { maxDifference } from '../support/reference';
import { savedArtifacts } from '../support/saved_artifacts';

const [ROWS, T, V] = [6, 5, 13];
const ids = integers(ROWS * T, V, 1);
/** Rows with 1, 2, 3, 4, 1 and 2 response positions: the batches of a step weigh differently. */
const labels = integers(ROWS * T, V, 2).map((label, at) => (at % T < T - 1 - (Math.floor(at / T) % 4) ? -100 : label));
const rows = (from: number, to: number) => ({
  xs: tf.tensor2d(ids.slice(from * T, to * T), [to - from, T], 'int32'),
  ys: tf.tensor2d(labels.slice(from * T, to * T), [to - from, T], 'int32'),
});
const model = (): tfl.LayersModel =>
  causalLM({
    vocabSize: V,
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    intermediateSize: 7,
    initializerRange: 0.4,
    seed: 2,
  });

/** Response-only cross-entropy, and the number of positions of its last call. */
function responseLoss() {
  const last = { positions: 0 };
  const loss = (targets: tf.Tensor, logits: tf.Tensor): tf.Tensor => {
    const at = Int32Array.from(targets.dataSync().keys()).filter((i) => targets.dataSync()[i] !== -100);
    last.positions = at.length;
    const index = tf.tensor1d(at, 'int32');
    return crossEntropy(tf.gather(tf.reshape(logits, [-1, V]), index), tf.gather(tf.reshape(targets, [-1]), index));
  };
  return { loss, last };
}

/** Trains on these batches, each of [from, to) rows, and gives the weights. */
async function trained(
  optimizer: tf.Optimizer,
  loss: (y: tf.Tensor, z: tf.Tensor) => tf.Tensor,
  batches: [number, number][],
  start = model(),
): Promise<Float32Array[]> {
  start.compile({ optimizer, loss });
  Reflect.set(start, 'feedOutputShapes', [null]);
  for (const [from, to] of batches) {
    const { xs, ys } = rows(from, to);
    await start.trainOnBatch(xs, ys);
    tf.dispose([xs, ys]);
  }
  return start.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
}

const difference = (a: Float32Array[], b: Float32Array[]): number =>
  Math.max(...a.map((values, i) => maxDifference(values, b[i])));
const adamW = (): AdamW =>
  new AdamW({
    learningRate: { learningRate: 0.01, warmupSteps: 2, totalSteps: 9 },
    clipNorm: 0.3,
    weightDecay: 0.1,
    epsilon: 1e-3,
  });

describe('accumulateGradients', () => {
  forEachBackend(() => {
    it('steps along the weighted mean of the gradients, once all batches are in', () => {
      // (1 * [3, 0] + 3 * [1, 4]) / 4 = [1.5, 3]; sgd with rate 0.5 takes [0.75, 1.5] away.
      const x = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
      const weights = [1, 3];
      const optimizer = accumulateGradients(tf.train.sgd(0.5), { steps: 2, weight: () => weights.shift() as number });
      const before = tf.memory().numTensors;
      for (const gradient of [
        [3, 0],
        [1, 4],
      ]) {
        expect([...x.dataSync()]).to.deep.equal([1, 2]);
        const tensor = tf.tensor1d(gradient);
        optimizer.applyGradients([{ name: x.name, tensor }]);
        tensor.dispose();
      }
      expect([...x.dataSync()]).to.deep.equal([0.25, 0.5]);
      expect(tf.memory().numTensors).to.equal(before);
      x.dispose();
    });

    it('is the optimizer itself for one batch a step', async () => {
      const { loss } = responseLoss();
      const batches: [number, number][] = [
        [0, 3],
        [3, 6],
        [0, 3],
      ];
      const expected = await trained(adamW(), loss, batches);
      expect(
        difference(await trained(accumulateGradients(adamW(), { steps: 1 }), loss, batches), expected),
      ).to.be.below(1e-6);
    });

    it('equals the large batch, with clipping, decay and schedule, where batches weigh by their response positions', async () => {
      const { loss, last } = responseLoss();
      const large = await trained(adamW(), loss, [
        [0, 6],
        [0, 6],
        [0, 6],
      ]);
      const micro: [number, number][] = [
        [0, 1],
        [1, 3],
        [3, 6],
      ];
      const optimizer = accumulateGradients(adamW(), { steps: 3, weight: () => last.positions });
      const small = await trained(optimizer, loss, [...micro, ...micro, ...micro]);
      expect(difference(small, large)).to.be.below(1e-5);
      expect(optimizer.iterations).to.equal(3);
      expect(optimizer.learningRate).to.be.closeTo(adamWRateAt(3), 1e-12);
      const unweighted = await trained(accumulateGradients(adamW(), { steps: 3 }), loss, [
        ...micro,
        ...micro,
        ...micro,
      ]);
      expect(difference(unweighted, large)).to.be.above(1e-4);
    });

    it('hands an assigned learning rate on', () => {
      const x = tf.tidy(() => tf.variable(tf.tensor1d([1])));
      const optimizer = accumulateGradients(new AdamW({ learningRate: 0.5, weightDecay: 0 }), { steps: 1 });
      optimizer.learningRate = 0.25;
      const gradient = tf.tensor1d([3]);
      optimizer.applyGradients([{ name: x.name, tensor: gradient }]);
      expect(x.dataSync()[0]).to.be.closeTo(0.75, 1e-5);
      expect(optimizer.learningRate).to.equal(0.25);
      tf.dispose([x, gradient]);
      optimizer.dispose();
    });

    it('equals the large batch under ilrec, in fitDataset', async () => {
      const run = async (batches: [number, number][], steps: number): Promise<Float32Array[]> => {
        const start = model();
        const method = ilrec({ penaltyWeight: 0.8, distillationWeight: 0.4 });
        start.compile({
          optimizer: accumulateGradients(adamW(), { steps, weight: () => method.numResponsePositions }),
          loss: method.loss,
        });
        const queue = (): unknown => {
          const left = batches.map(([from, to]) => rows(from, to));
          return {
            next: async () => (left.length > 0 ? { value: left.shift(), done: false } : { value: null, done: true }),
          };
        };
        const dataset = { size: null, iterator: async () => queue() } as unknown as Parameters<
          tfl.LayersModel['fitDataset']
        >[0];
        await start.fitDataset(dataset, { epochs: 3, verbose: 0, callbacks: [method.callback] });
        return start.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
      };
      expect(
        difference(
          await run(
            [
              [0, 1],
              [1, 3],
              [3, 6],
            ],
            3,
          ),
          await run([[0, 6]], 1),
        ),
      ).to.be.below(1e-5);
    });

    it('makes a step of the rest when asked to, and none of nothing', async () => {
      const { loss, last } = responseLoss();
      const optimizer = accumulateGradients(adamW(), { steps: 4, weight: () => last.positions });
      const start = model();
      const before = start.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
      expect(
        difference(
          await trained(
            optimizer,
            loss,
            [
              [0, 1],
              [1, 6],
            ],
            start,
          ),
          before,
        ),
      ).to.equal(0);
      expect(optimizer.pending).to.equal(2);
      optimizer.flush();
      const flushed = start.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
      expect(difference(flushed, await trained(adamW(), loss, [[0, 6]]))).to.be.below(1e-5);
      optimizer.flush();
      expect(optimizer.iterations).to.equal(1);
    });

    it('goes on from a snapshot taken between two steps with the same numbers', async () => {
      const { loss, last } = responseLoss();
      const make = (): AccumulatedOptimizer => accumulateGradients(adamW(), { steps: 3, weight: () => last.positions });
      const batches: [number, number][] = [
        [0, 1],
        [1, 3],
        [3, 6],
        [0, 2],
        [2, 5],
        [5, 6],
        [1, 4],
      ];
      const whole = await trained(make(), loss, batches);
      const [first, stopped] = [make(), model()];
      await trained(first, loss, batches.slice(0, 4), stopped);
      const snapshot = await takeSnapshot(stopped, first, 4, {});
      const [second, resumed] = [make(), model()];
      await restoreSnapshot(resumed, second, snapshot);
      expect(second.pending).to.equal(1);
      expect(difference(await trained(second, loss, batches.slice(4), resumed), whole)).to.equal(0);
    });

    it('weighs batches by their response positions by default, with each method and each way to train', async () => {
      const small: [number, number][] = [
        [0, 1],
        [1, 3],
        [3, 4],
        [4, 6],
      ];
      for (const make of [ilrec, sft]) {
        const large = make();
        const [expectedModel, expectedOptimizer] = [model(), adamW()];
        large.attach(expectedModel);
        const expected = await trained(expectedOptimizer, large.loss, [[0, 6]], expectedModel);
        large.detach();

        const method = make();
        const [fitted, byHand] = [model(), model()];
        fitted.compile({ optimizer: accumulateGradients(adamW(), { steps: 4 }), loss: method.loss });
        const batches = datasetOf(() => small.map(([from, to]) => rows(from, to)));
        await fitted.fitDataset(batches, { epochs: 1, verbose: 0, callbacks: [method.callback] });
        const found = fitted.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
        expect(difference(found, expected)).to.be.below(1e-5);

        const optimizer = accumulateGradients(adamW(), { steps: 4 });
        method.attach(byHand);
        for (const [from, to] of small) {
          const { xs, ys } = rows(from, to);
          const { value, grads } = tf.variableGrads(() => method.lossOf(xs, ys));
          optimizer.applyGradients(grads);
          tf.dispose([xs, ys, value, grads]);
        }
        method.detach();
        const looped = byHand.getWeights().map((weight) => weight.dataSync<'float32'>().slice());
        expect(difference(looped, expected)).to.be.below(1e-5);

        const equal = await trained(
          accumulateGradients(adamW(), { steps: 4, weight: () => 1 }),
          (method.attach(fitted), method.loss),
          small,
          fitted,
        );
        expect(difference(equal, expected)).to.be.above(1e-4); // micro-batches that count the same
        method.detach();
      }
    });

    it('does not weigh the batches of another loss by the positions of a method', () => {
      const own = model();
      const method = sft();
      method.attach(own);
      const { xs, ys } = rows(2, 6);
      const x = tf.tidy(() => tf.variable(tf.scalar(0)));
      const stepWith = (count: () => void): number => {
        const optimizer = accumulateGradients(tf.train.sgd(1), { steps: 2 });
        x.assign(tf.scalar(0));
        count();
        optimizer.minimize(() => tf.mul(x, 4));
        optimizer.minimize(() => tf.mul(x, 2));
        return x.dataSync()[0];
      };
      expect(stepWith(() => undefined)).to.equal(-3);
      expect(stepWith(() => method.lossOf(xs, ys).dispose())).to.equal(-3);
      method.lossOf(xs, ys).dispose();
      method.detach();
      const optimizer = accumulateGradients(tf.train.sgd(1), { steps: 2 });
      x.assign(tf.scalar(0));
      for (const gradient of [4, 2]) optimizer.applyGradients([{ name: x.name, tensor: tf.scalar(gradient) }]);
      expect(x.dataSync()[0]).to.equal(-3);
      tf.dispose([xs, ys]);
    });

    it('sets the learning rate of the inner optimizer, whatever that is', () => {
      const x = tf.tidy(() => tf.variable(tf.scalar(0)));
      const inner = [() => tf.train.sgd(1), () => tf.train.momentum(1, 0), () => new AdamW({ learningRate: 1 })];
      for (const make of inner) {
        const optimizer = accumulateGradients(make(), { steps: 1 });
        optimizer.learningRate = 0;
        expect(optimizer.learningRate).to.equal(0);
        optimizer.minimize(() => tf.mul(x, 4));
        expect(x.dataSync()[0]).to.equal(0);
        optimizer.learningRate = 0.25;
        optimizer.minimize(() => tf.mul(x, 4));
        expect(x.dataSync()[0]).to.be.below(-0.2);
        x.assign(tf.scalar(0));
        optimizer.dispose();
      }
    });

    it('makes the last step of a snapshot whose batches are all done, with the same numbers', async () => {
      const { loss, last } = responseLoss();
      const make = (): AccumulatedOptimizer => accumulateGradients(adamW(), { steps: 3, weight: () => last.positions });
      const [first, stopped] = [make(), model()];
      await trained(
        first,
        loss,
        [
          [0, 1],
          [1, 3],
          [3, 6],
          [0, 2],
          [2, 5],
        ],
        stopped,
      );
      const snapshot = await takeSnapshot(stopped, first, 5, {});
      const [second, resumed] = [make(), model()];
      await restoreSnapshot(resumed, second, snapshot);
      const before = await readWeights(resumed);
      first.flush();
      second.flush();
      expect(await readWeights(resumed))
        .to.deep.equal(await readWeights(stopped))
        .and.not.deep.equal(before);
      expect(second.iterations).to.equal(2);
    });

    it('is saved with a model and loaded with it', async () => {
      tf.serialization.registerClass(AccumulatedOptimizer);
      for (const inner of [new AdamW({ learningRate: 0.5, clipNorm: 2 }), tf.train.adam(0.25)]) {
        const made = accumulateGradients(inner, { steps: 5 });
        const dense = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [2] })] });
        dense.compile({ optimizer: made, loss: 'meanSquaredError' });
        for (let i = 0; i < 7; i++) await dense.trainOnBatch(tf.ones([1, 2]), tf.ones([1, 1]));
        const saved = await savedArtifacts(dense, { includeOptimizer: true });
        const loaded = await tfl.loadLayersModel(tf.io.fromMemory(saved));
        const optimizer = loaded.optimizer as AccumulatedOptimizer;
        expect(optimizer.getConfig()).to.deep.equal(made.getConfig());
        expect(optimizer.pending).to.equal(2);
        for (const either of [dense, loaded])
          for (let i = 0; i < 4; i++) await either.trainOnBatch(tf.ones([1, 2]), tf.ones([1, 1]));
        expect(loaded.getWeights().map((w) => [...w.dataSync()])).to.deep.equal(
          dense.getWeights().map((w) => [...w.dataSync()]),
        );
      }
    });

    it('leaves no tensor behind', async () => {
      const { loss } = responseLoss();
      const optimizer = accumulateGradients(tf.train.sgd(0.1), { steps: 2 });
      const start = model();
      await trained(
        optimizer,
        loss,
        [
          [0, 1],
          [1, 2],
        ],
        start,
      );
      const before = tf.memory().numTensors;
      await trained(
        optimizer,
        loss,
        [
          [0, 1],
          [1, 2],
          [2, 3],
        ],
        start,
      );
      optimizer.dispose();
      expect(tf.memory().numTensors).to.equal(before - 1); // sgd's learning rate, which goes with it
      start.dispose();
    });

    it('refuses other weights within a step, and a state that is not its own', async () => {
      const [x, y] = tf.tidy(() => [tf.variable(tf.ones([2])), tf.variable(tf.ones([3]))]);
      const optimizer = accumulateGradients(tf.train.sgd(1), { steps: 2 });
      optimizer.applyGradients({ [x.name]: tf.ones([2]) });
      expect(() => optimizer.applyGradients({ [y.name]: tf.ones([3]) })).to.throw(
        'accumulateGradients: the batches of one step must train the same weights, got others; flush() before the trained weights change',
      );
      expect(await messageOf(optimizer.setWeights([{ name: 'iter', tensor: tf.scalar(1, 'int32') }]))).to.equal(
        'AccumulatedOptimizer.setWeights: needs the state of an accumulated optimizer, got 1 tensors; resume with the optimizer that the state came from',
      );
      tf.dispose([x, y]);
    });

    it('refuses to step along restored gradients whose weights it does not know', async () => {
      const make = (): AccumulatedOptimizer => accumulateGradients(new AdamW({ learningRate: 0.5 }), { steps: 2 });
      const [first, second, x] = [make(), make(), tf.tidy(() => tf.variable(tf.ones([2])))];
      first.applyGradients({ [x.name]: tf.ones([2]) });
      await second.setWeights(await first.getWeights());
      second.trains(tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [2] })] })); // two weights
      expect(() => second.flush()).to.throw(
        'AccumulatedOptimizer.flush: the weights of the 1 restored gradients must be known, got none; resume with the model the state came from, and call trains(model) after setWeights',
      );
      second.applyGradients({ [x.name]: tf.ones([2]) });
      expect(maxDifference(x.dataSync(), [0.5, 0.5])).to.be.below(1e-5); // TensorFlow takes 1 - beta2 in float32
      x.dispose();
    });

    it('refuses options out of range', () => {
      expect(() => accumulateGradients(tf.train.sgd(1), { steps: 0 })).to.throw(
        'accumulateGradients: steps must be a positive integer, got 0',
      );
      const negative = accumulateGradients(tf.train.sgd(1), { steps: 1, weight: () => -1 });
      expect(() => negative.applyGradients([])).to.throw(
        'accumulateGradients: weight must be a number of at least 0, got -1',
      );
    });
  });
});

function adamWRateAt(step: number): number {
  return (0.01 * (1 + Math.cos((Math.PI * (step - 2)) / 7))) / 2;
}
