import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { CaserFilters } from '../../src/layers/caser_filters';
import { forEachBackend, forEachDevice } from '../support/backends';
import { normals } from '../support/random';
import { centralDifferences, maxDifference, toRows } from '../support/reference';
import { caserFilters } from '../support/sequential_reference';

const [B, T, D] = [2, 7, 3];
const args = { windowSize: 5, numHorizontalFilters: 2, numVerticalFilters: 3, seed: 4 };
const sizes = { ...args, hiddenSize: D };
const values = normals(B * T * D, 1);

/** A layer whose weights and biases are all random. */
function layerWithWeights(): { layer: CaserFilters; weights: Float32Array[] } {
  const layer = new CaserFilters(args);
  tf.tidy(() => void layer.apply(tf.zeros([1, 1, D]))); // builds it
  const weights = layer.weights.map((weight, at) => normals(weight.read().size, 10 + at));
  tf.tidy(() => layer.weights.forEach((weight, at) => weight.write(tf.tensor(weights[at], weight.read().shape))));
  return { layer, weights };
}

function reference(weights: readonly ArrayLike<number>[], x: ArrayLike<number>): number[] {
  const filters = caserFilters(weights, sizes);
  const rows = toRows(x, D);
  return Array.from({ length: B }, (_, b) => filters(rows.slice(b * T, (b + 1) * T))).flat(2);
}

describe('CaserFilters', () => {
  forEachBackend(() => {
    it('takes the largest response of each height, and weighted sums of the rows', () => {
      // L = 2, D = 1, items 3 and -1 after the start: E_2 = (3, -1), E_1 = (0, 3), E_0 = (0, 0)
      // height 1, w = 2, b = 1: relu(2 max(E) + 1) = 7, 7, 1; height 2, w = (1, 4), b = 0: relu(3 - 4) = 0, 12, 0
      // vertical (10, 1): 30 - 1 = 29, 3, 0
      const layer = new CaserFilters({ windowSize: 2, numHorizontalFilters: 1, numVerticalFilters: 1 });
      layer.apply(tf.zeros([1, 1, 1])); // builds it
      layer.setWeights([[[2]], [[1], [4]], [[1], [0]], [[10, 1]]].map((rows) => tf.tensor2d(rows)));
      const outputs = layer.apply(tf.tensor3d([99, 3, -1], [1, 3, 1])) as tf.Tensor3D;
      expect(outputs.arraySync()).to.deep.equal([
        [
          [1, 0, 0],
          [7, 12, 3],
          [7, 0, 29],
        ],
      ]);
    });

    it('is the window of each position on its own, in float64', () => {
      tf.tidy(() => {
        const { layer, weights } = layerWithWeights();
        const outputs = layer.apply(tf.tensor3d(values, [B, T, D])) as tf.Tensor;
        expect(outputs.shape).to.deep.equal([B, T, 19]); // 5 * 2 + 3 * 3
        expect(layer.computeOutputShape([B, T, D])).to.deep.equal([B, T, 19]);
        expect(maxDifference(outputs.dataSync(), reference(weights, values))).to.be.below(1e-5);
      });
    });

    it('does not read the start, nor what lies outside the window', () => {
      tf.tidy(() => {
        const { layer } = layerWithWeights();
        const at = (x: Float32Array): Float32Array =>
          tf.slice(layer.apply(tf.tensor3d(x, [B, T, D])) as tf.Tensor3D, [0, 5, 0], [1, 1, -1]).dataSync<'float32'>();
        const changed = values.slice();
        for (const position of [0, 6]) changed.fill(9, position * D, (position + 1) * D); // t = 5 sees 1 to 5
        expect([...at(changed)]).to.deep.equal([...at(values)]);
      });
    });

    it('is rebuilt from its config with the same weights', () => {
      tf.tidy(() => {
        const layer = new CaserFilters(args);
        const x = tf.tensor3d(values, [B, T, D]);
        const expected = (layer.apply(x) as tf.Tensor).dataSync();
        const { name: _, ...config } = layer.getConfig();
        const rebuilt = new CaserFilters(config as unknown as typeof args);
        expect([...(rebuilt.apply(x) as tf.Tensor).dataSync()]).to.deep.equal([...expected]);
        const other = new CaserFilters({ ...args, seed: 5 });
        expect(maxDifference((other.apply(x) as tf.Tensor).dataSync(), expected)).to.be.above(0.1);
      });
    });

    it('reads a row that is shorter than the window', () => {
      tf.tidy(() => {
        const { layer, weights } = layerWithWeights();
        const short = values.slice(0, 2 * D);
        const outputs = (layer.apply(tf.tensor3d(short, [1, 2, D])) as tf.Tensor).dataSync();
        expect(maxDifference(outputs, caserFilters(weights, sizes)(toRows(short, D)).flat())).to.be.below(1e-5);
      });
    });
  });

  forEachDevice(() => {
    it('has the gradients of central differences, in the input and in every weight', async () => {
      const { layer, weights } = layerWithWeights();
      const upstream = normals(B * T * 19, 9);
      const loss = (x: tf.Tensor): tf.Scalar =>
        tf.sum(tf.mul(layer.apply(x) as tf.Tensor, tf.tensor3d(upstream, [B, T, 19])));
      const x = tf.tensor3d(values, [B, T, D]);
      const dx = tf.grad(loss)(x);
      const { value, grads } = tf.variableGrads(() => loss(x));
      const sum = (outputs: readonly number[]): number =>
        outputs.reduce((total, one, i) => total + one * upstream[i], 0);
      const expected = centralDifferences((given) => sum(reference(weights, given)), values);
      expect(maxDifference(await dx.data(), expected)).to.be.below(1e-4);
      for (const [at, weight] of layer.weights.entries()) {
        const gradient = await grads[(weight.read() as tf.Variable).name].data();
        const along = (given: ArrayLike<number>): number =>
          sum(
            reference(
              weights.map((flat, i) => (i === at ? given : flat)),
              values,
            ),
          );
        expect(maxDifference(gradient, centralDifferences(along, weights[at])), weight.name).to.be.below(1e-4);
      }
      tf.dispose([x, dx, value, grads]);
      layer.dispose();
    });
  });
});
