import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { AdamW, type AdamWOptions } from '../../src/optimizers/adamw';
import { accumulateGradients, AccumulatedOptimizer } from '../../src/optimizers/gradient_accumulation';
import { forEachBackend } from '../support/backends';
import { integers, normals } from '../support/random';
import { maxDifference } from '../support/reference';
import { savedArtifacts } from '../support/saved_artifacts';

const [ROWS, T, V, D] = [6, 3, 7, 4];
const xs = (): tf.Tensor => tf.tensor2d(integers(ROWS * T, V, 1), [ROWS, T], 'int32');
const ys = (): tf.Tensor => tf.tensor3d(normals(ROWS * T * 2, 2), [ROWS, T, 2]);

/** Stock layers with weights of every kind: a table, a norm's scale and shift, a kernel and a bias. */
function model(): tfl.LayersModel {
  const normal = (seed: number) => tfl.initializers.randomNormal({ seed, stddev: 0.5 });
  return tfl.sequential({
    layers: [
      tfl.layers.embedding({
        inputDim: V,
        outputDim: D,
        inputShape: [T],
        name: 'table',
        embeddingsInitializer: normal(1),
      }),
      tfl.layers.layerNormalization({ name: 'norm', gammaInitializer: normal(2), betaInitializer: normal(3) }),
      tfl.layers.dense({ units: 2, name: 'head', kernelInitializer: normal(4), biasInitializer: normal(5) }),
    ],
  });
}
const weightsOf = (of: tfl.LayersModel): Map<string, Float32Array> =>
  new Map(of.weights.map((weight) => [weight.originalName, weight.read().dataSync<'float32'>().slice()]));
const fit = async (of: tfl.LayersModel, epochs: number, batchSize = ROWS): Promise<tfl.History> =>
  await of.fit(xs(), ys(), { epochs, batchSize, shuffle: false, verbose: 0 });
const nothing = (_: tf.Tensor, output: tf.Tensor): tf.Tensor => tf.mul(tf.mean(output), 0);

describe('AdamW in compile and fit', () => {
  forEachBackend(() => {
    it('decays kernels and tables, and no norms and biases: without a gradient each step takes rate * decay of them', async () => {
      const trained = model();
      const before = weightsOf(trained);
      trained.compile({ optimizer: new AdamW({ learningRate: 0.5, weightDecay: 0.1 }), loss: nothing });
      await fit(trained, 2);
      for (const [name, values] of weightsOf(trained)) {
        const kept = /kernel|embeddings/.test(name) ? 0.95 ** 2 : 1;
        expect(maxDifference(values, before.get(name)?.map((value) => kept * value) ?? []), name).to.be.below(1e-6);
      }
    });

    it('leaves out what decays says', async () => {
      const trained = model();
      const before = weightsOf(trained);
      trained.compile({
        optimizer: new AdamW({
          learningRate: 0.5,
          weightDecay: 0.1,
          decays: ({ name, rank }) => rank > 1 && !name.startsWith('table'),
        }),
        loss: nothing,
      });
      await fit(trained, 1);
      const after = weightsOf(trained);
      expect([...(after.get('table/embeddings') ?? [])]).to.deep.equal([...(before.get('table/embeddings') ?? [])]);
      expect(
        maxDifference(after.get('head/kernel') ?? [], before.get('head/kernel')?.map((value) => 0.95 * value) ?? []),
      ).to.be.below(1e-6);
    });

    it('warms up and falls with the schedule, a step for each batch', async () => {
      // The loss is the sum of the outputs, whose gradient at the bias is the same in each step: Adam moves it by the
      // rate. Batches of 3: 2 steps an epoch. Rates of linear, 4 steps, warm-up 2, highest 0.4: 0.2, 0.4, 0.4, 0.2.
      const trained = model();
      const bias = (): number => (weightsOf(trained).get('head/bias') as Float32Array)[0];
      const start = bias();
      trained.compile({
        optimizer: new AdamW({ learningRate: { kind: 'linear', learningRate: 0.4, warmupSteps: 2, totalSteps: 4 } }),
        loss: (_, output) => tf.sum(output),
      });
      await fit(trained, 1, 3);
      expect(bias()).to.be.closeTo(start - 0.6, 1e-5);
      await fit(trained, 1, 3);
      expect(bias()).to.be.closeTo(start - 1.2, 1e-5);
    });

    it('clips the gradient of the whole model', async () => {
      // A large epsilon makes Adam's first step rate * g / epsilon: the steps of all weights together are as long as
      // the clipped gradient.
      const trained = model();
      const before = weightsOf(trained);
      trained.compile({
        optimizer: new AdamW({ learningRate: 1e4, weightDecay: 0, epsilon: 1e4, clipNorm: 0.25 }),
        loss: (_, output) => tf.mul(tf.sum(output), 100),
      });
      await fit(trained, 1);
      const steps = [...weightsOf(trained)].flatMap(([name, values]) =>
        [...values].map((value, i) => value - (before.get(name) as Float32Array)[i]),
      );
      expect(Math.hypot(...steps)).to.be.closeTo(0.25, 1e-3);
    });

    it('goes on bit for bit from a model saved with it, alone or accumulated', async () => {
      for (const optimizer of [AdamW, AccumulatedOptimizer]) tf.serialization.registerClass(optimizer);
      const options: AdamWOptions = {
        learningRate: { learningRate: 0.05, warmupSteps: 3, totalSteps: 12 },
        clipNorm: 1,
        weightDecay: 0.1,
      };
      for (const make of [() => new AdamW(options), () => accumulateGradients(new AdamW(options), { steps: 2 })]) {
        const [whole, half] = [model(), model()];
        for (const each of [whole, half]) each.compile({ optimizer: make(), loss: 'meanSquaredError' });
        await fit(whole, 5, 2); // 3 batches an epoch: an accumulated step is half done after an odd one
        await fit(half, 3, 2);
        const saved = await savedArtifacts(half, { includeOptimizer: true });
        const resumed = await tfl.loadLayersModel(tf.io.fromMemory(saved));
        await fit(resumed, 2, 2);
        expect([...weightsOf(resumed)].map(([, values]) => [...values])).to.deep.equal(
          [...weightsOf(whole)].map(([, values]) => [...values]),
        );
      }
    });
  });
});
