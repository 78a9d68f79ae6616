import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { GRU } from '../../src/layers/gru';
import { forEachBackend, forEachDevice } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, maxDifference, toRows } from '../support/reference';
import { gruStates } from '../support/sequential_reference';

/** What `spec/golden/make_gru.py` writes: torch.nn.GRU in float64. */
interface Golden {
  readonly shape: readonly [number, number, number, number];
  readonly weights: number[][];
  readonly inputs: number[];
  readonly upstream: number[];
  readonly states: number[];
  readonly inputGradient: number[];
  readonly weightGradients: number[][];
}

const golden = JSON.parse(readFileSync('spec/golden/gru.json', 'utf8')) as Golden;
const [B, T, D, H] = golden.shape;

function layerOf(weights: readonly ArrayLike<number>[], inputSize = D, units = H): GRU {
  const layer = new GRU({ units });
  tf.tidy(() => {
    layer.apply(tf.zeros([1, 1, inputSize])); // builds it
    layer.setWeights(
      weights.map((flat, at) => tf.tensor(Float32Array.from(flat), layer.weights[at].shape as number[])),
    );
  });
  return layer;
}

/** Values of the output and of the gradients of sum(output * upstream) by the input and by each weight. */
async function outputAndGradients(
  layer: GRU,
  inputs: ArrayLike<number>,
  shape: [number, number, number],
  upstream: ArrayLike<number>,
): Promise<{ states: ArrayLike<number>; dx: ArrayLike<number>; dWeights: ArrayLike<number>[] }> {
  const x = tf.tensor3d(Float32Array.from(inputs), shape);
  const states = layer.apply(x) as tf.Tensor;
  const dy = tf.tensor(Float32Array.from(upstream), states.shape);
  const loss = (given: tf.Tensor): tf.Scalar => tf.sum(tf.mul(layer.apply(given) as tf.Tensor, dy));
  const dx = tf.grad(loss)(x);
  const { value, grads } = tf.variableGrads(() => loss(x));
  const dWeights = await Promise.all(layer.weights.map((weight) => grads[(weight.read() as tf.Variable).name].data()));
  const found = { states: await states.data(), dx: await dx.data(), dWeights };
  tf.dispose([x, states, dy, dx, value, grads]);
  return found;
}

describe('GRU', () => {
  forEachBackend(() => {
    it('is a blend of the old state and the candidate', () => {
      tf.tidy(() => {
        // a = (0, 0, ln 3 / 2) at each step, no recurrent part: r = z = 1/2, n = tanh(ln 3 / 2) = 1/2
        // h_1 = 1/2 + (0 - 1/2) / 2 = 1/4, h_2 = 1/2 + (1/4 - 1/2) / 2 = 3/8
        const layer = layerOf(
          [
            [0, 0, 0],
            [0, 0, 0],
            [0, 0, Math.log(3) / 2],
            [0, 0, 0],
          ],
          1,
          1,
        );
        const states = (layer.apply(tf.ones([1, 2, 1])) as tf.Tensor).dataSync();
        expect(maxDifference(states, [0.25, 0.375])).to.be.below(1e-6);
      });
    });

    it('is tf.layers.gru where the reset gate is open', () => {
      tf.tidy(() => {
        const weights = golden.weights.map((flat) => Float32Array.from(flat));
        weights[2].fill(40, 0, H); // r = 1
        weights[3].fill(0); // tfjs has no second bias
        const mine = layerOf(weights);
        const theirs = tfl.layers.gru({
          units: H,
          returnSequences: true,
          recurrentActivation: 'sigmoid',
          kernelInitializer: 'zeros',
          recurrentInitializer: 'zeros',
        });
        theirs.apply(tf.zeros([1, 1, D])); // builds it
        const reordered = [D, H, 1].map((rows, at) => {
          const [reset, update, candidate] = tf.split(tf.tensor2d(weights[at], [rows, 3 * H]), 3, 1);
          return tf.concat([update, reset, candidate], 1);
        });
        theirs.setWeights([reordered[0], reordered[1], tf.reshape(reordered[2], [-1])]);
        const x = tf.tensor3d(golden.inputs, [B, T, D]);
        const [found, expected] = [mine, theirs].map((layer) => (layer.apply(x) as tf.Tensor).dataSync());
        expect(maxDifference(found, expected)).to.be.below(1e-6);
      });
    });

    it('keeps its state where the update gate is shut, which is zero', () => {
      tf.tidy(() => {
        const weights = golden.weights.map((flat) => Float32Array.from(flat));
        weights[2].fill(40, H, 2 * H); // z = 1
        const states = (layerOf(weights).apply(tf.tensor3d(golden.inputs, [B, T, D])) as tf.Tensor).dataSync();
        expect(maxDifference(states, new Float32Array(B * T * H))).to.be.below(1e-6);
      });
    });

    it('is rebuilt from its config with the same weights and the shape it announces', () => {
      tf.tidy(() => {
        const layer = new GRU({ units: H, seed: 3 });
        const x = tf.tensor3d(golden.inputs, [B, T, D]);
        const states = layer.apply(x) as tf.Tensor;
        expect(states.shape).to.deep.equal([B, T, H]);
        expect(layer.computeOutputShape([B, T, D])).to.deep.equal([B, T, H]);
        const { name: _, ...config } = layer.getConfig();
        const rebuilt = new GRU(config as unknown as { units: number });
        expect(maxDifference((rebuilt.apply(x) as tf.Tensor).dataSync(), states.dataSync())).to.equal(0);
        const other = new GRU({ units: H, seed: 4 });
        expect(maxDifference((other.apply(x) as tf.Tensor).dataSync(), states.dataSync())).to.be.above(0.01);
      });
    });
  });

  forEachDevice(() => {
    it('has the states and gradients of torch.nn.GRU', async () => {
      const layer = layerOf(golden.weights);
      const { states, dx, dWeights } = await outputAndGradients(layer, golden.inputs, [B, T, D], golden.upstream);
      expect(maxDifference(states, golden.states)).to.be.below(1e-6);
      expect(maxDifference(dx, golden.inputGradient)).to.be.below(1e-5);
      dWeights.forEach((gradient, at) => expect(maxDifference(gradient, golden.weightGradients[at])).to.be.below(1e-5));
      layer.dispose();
    });

    it('has the gradients of central differences in a row of one position, where tf.layers.gru has none', async () => {
      const layer = layerOf(golden.weights);
      const [inputs, upstream] = [normals(D, 1), normals(H, 2)];
      const { dx, dWeights } = await outputAndGradients(layer, inputs, [1, 1, D], upstream);
      const sum = (weights: readonly ArrayLike<number>[], x: ArrayLike<number>): number =>
        gruStates(weights, H)(toRows(x, D))[0].reduce((total, value, i) => total + value * upstream[i], 0);
      const expected = centralDifferences((x) => sum(golden.weights, x), inputs);
      expect(maxDifference(dx, expected)).to.be.below(1e-5);
      dWeights.forEach((gradient, at) => {
        const along = (flat: ArrayLike<number>): number =>
          sum(
            golden.weights.map((own, i) => (i === at ? flat : own)),
            inputs,
          );
        expect(maxDifference(gradient, centralDifferences(along, golden.weights[at]))).to.be.below(1e-5);
      });
      layer.dispose();
    });
  });
});
