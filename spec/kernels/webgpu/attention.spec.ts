import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { attention, causalMask, paddingMask } from '../../../src/ops/attention';
import { onWebGpu } from '../../support/backends';
import { normals } from '../../support/random';
import { centralDifferences, maxDifference, softmax, toRows } from '../../support/reference';
import { floats } from '../against_cpu';
import { expectSameOnBoth, withGradients } from './on_both';

type Sizes = { B?: number; H?: number; K?: number; T: number; S?: number; F: number };

/** Context and gradients of query, key and value. */
function compute({ B = 2, H = 2, K = H, T, S = T, F }: Sizes, mask: () => tf.Tensor): () => tf.Tensor[] {
  const attend = (...[query, key, value]: tf.Tensor[]): tf.Tensor =>
    attention(query as tf.Tensor4D, key as tf.Tensor4D, value as tf.Tensor4D, mask());
  return () => withGradients(attend, [floats([B, H, T, F], 1), floats([B, K, S, F], 2), floats([B, K, S, F], 3)]);
}

const TOLERANCE = 2e-5;

describe('attention', () => {
  onWebGpu(() => {
    it('has the kernels', () => {
      for (const name of ['ILRecAttention', 'ILRecAttentionGrad'])
        expect(tf.getKernel(name, 'webgpu'), name).not.to.equal(undefined);
    });

    it('has the value and the gradients of the float64 formula', async () => {
      const [T, F] = [11, 4];
      const inputs = [1, 2, 3, 4].map((seed) => normals(T * F, seed)); // query, key, value, gradient
      const reference = ([query, key, value]: ArrayLike<number>[]): number[] => {
        const [queries, keys, values] = [query, key, value].map((x) => toRows(x, F));
        return queries.flatMap((q, t) => {
          const p = softmax(keys.slice(0, t + 1).map((k) => k.reduce((sum, x, i) => sum + x * q[i], 0) / Math.sqrt(F)));
          return q.map((_, i) => p.reduce((sum, weight, s) => sum + weight * values[s][i], 0));
        });
      };
      const weighted = (which: number) => (at: ArrayLike<number>) =>
        reference(inputs.map((x, i) => (i === which ? at : x))).reduce((sum, y, i) => sum + y * inputs[3][i], 0);
      const results = tf.tidy(() => {
        const [query, key, value, dy] = inputs.map((x) => tf.tensor4d(x, [1, 1, T, F]));
        const attend = (...[q, k, v]: tf.Tensor[]): tf.Tensor =>
          attention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, causalMask(T));
        return [attend(query, key, value), ...tf.grads(attend)([query, key, value], dy)];
      });
      const [context, ...gradients] = await Promise.all(results.map((x) => x.data()));
      expect(maxDifference(context, reference(inputs))).to.be.below(1e-5);
      gradients.forEach((gradient, which) =>
        expect(maxDifference(gradient, centralDifferences(weighted(which), inputs[which]))).to.be.below(1e-5),
      );
      tf.dispose(results);
    });

    it('and its gradients equal the composed ones around the sizes of tiles', async () => {
      for (const T of [11, 31, 32, 33, 67])
        await expectSameOnBoth(
          compute({ T, F: 12 }, () => causalMask(T)),
          TOLERANCE,
        );
    });

    it('shares keys and values among groups of heads', async () => {
      for (const [H, K] of [
        [6, 3],
        [3, 1],
      ])
        await expectSameOnBoth(
          compute({ H, K, T: 37, F: 8 }, () => causalMask(37)),
          TOLERANCE,
        );
    });

    it('takes the lowest float as a mask, in rows that see no key too', async () => {
      const lowest = -3.4028234663852886e38;
      for (const T of [32, 37])
        await expectSameOnBoth(
          compute({ T, F: 8 }, () => tf.fill([T, T], lowest)),
          TOLERANCE,
        );
      await expectSameOnBoth(
        compute({ T: 33, F: 8 }, () => tf.mul(causalMask(33), 1e29)),
        TOLERANCE,
      );
    });

    it('leaves a mask of another size to the composed form, which refuses it', () => {
      const [query, key, value] = [1, 2, 3].map((seed) => floats([1, 1, 9, 4], seed) as tf.Tensor4D);
      expect(() => attention(query, key, value, tf.zeros([8, 8]))).to.throw('could not be broadcast together');
    });

    it('takes other numbers of keys than of queries, and every way to broadcast a mask', async () => {
      for (const shape of [
        [],
        [43],
        [37, 43],
        [37, 1],
        [1, 43],
        [2, 1, 1, 43],
        [2, 1, 37, 43],
        [1, 1, 37, 43],
        [2, 3, 37, 43],
        [1, 3, 1, 1],
      ]) {
        await expectSameOnBoth(
          compute({ H: 3, T: 37, S: 43, F: 8 }, () => floats(shape, 7)),
          TOLERANCE,
        );
      }
    });

    it('leaves out what a sliding window hides, tiles of it too', async () => {
      await expectSameOnBoth(
        compute({ B: 1, T: 131, F: 8 }, () => causalMask(131, 13)),
        TOLERANCE,
      );
    });

    it('skips the tiles that a mask hides', async () => {
      // NaN in a tile that is read spoils every sum over it, also with a weight of 0
      const [T, F] = [96, 8];
      const spoiled = (x: tf.Tensor, first: number): tf.Tensor =>
        tf.concat(
          [
            tf.slice(x, [0, 0, 0, 0], [1, 1, first, F]),
            tf.fill([1, 1, 32, F], NaN),
            tf.slice(x, [0, 0, first + 32, 0]),
          ],
          2,
        );
      const run = (name: string, inputs: tf.NamedTensorMap): tf.Tensor[] => tf.engine().runKernel(name, inputs);
      const tile = (x: tf.Tensor, first: number): tf.Tensor => tf.slice(x, [0, 0, first, 0], [1, 1, 32, F]);
      const compute = (mask: tf.Tensor, queries: number, keys: number): { wanted: tf.Tensor[]; got: tf.Tensor[] } =>
        tf.tidy(() => {
          const [query, key, value, gradient] = [1, 2, 3, 4].map((seed) => floats([1, 1, T, F], seed));
          const unseen = { query, key: spoiled(key, keys), value: spoiled(value, keys), mask };
          const [context, rows] = run('ILRecAttention', { query, key, value, mask });
          const saved = { context, rows };
          const [dQuery, dKey, dValue] = run('ILRecAttentionGrad', { query, key, value, mask, gradient, ...saved });
          const unsought = { query, key, value, mask, gradient: spoiled(gradient, queries), ...saved };
          const [, dKeyUnsought, dValueUnsought] = run('ILRecAttentionGrad', unsought);
          return {
            wanted: [tile(context, queries), tile(dQuery, queries), tile(dKey, keys), tile(dValue, keys)],
            got: [
              tile(run('ILRecAttention', unseen)[0], queries),
              tile(run('ILRecAttentionGrad', { ...unseen, gradient, ...saved })[0], queries),
              tile(dKeyUnsought, keys),
              tile(dValueUnsought, keys),
            ],
          };
        });
      const numbers = async (tensors: tf.Tensor[]): Promise<number[][]> =>
        Promise.all(tensors.map(async (x) => [...(await x.data())]));
      const [causal, window] = [causalMask(T), causalMask(T, 13)];
      const ahead = compute(causal, 0, 64); // queries 0 to 31 do not see keys 64 to 95
      expect(await numbers(ahead.got)).to.deep.equal(await numbers(ahead.wanted));
      // queries 64 to 95 do not see keys 0 to 31, which the forward pass reads before it knows
      const behind = compute(window, 64, 0);
      expect((await numbers(behind.got)).slice(1)).to.deep.equal((await numbers(behind.wanted)).slice(1));
      tf.dispose([causal, window, ahead, behind].map((each) => each as tf.TensorContainerObject));
    });

    it('does not see padding on either side', async () => {
      for (const [from, to] of [
        [0, 41],
        [53, 97],
      ]) {
        const tokens = (): tf.Tensor =>
          tf.tensor2d([
            Array.from({ length: 97 }, (_, i) => Number(i >= from && i < to)),
            new Array<number>(97).fill(1),
          ]);
        await expectSameOnBoth(
          compute({ T: 97, F: 8 }, () => tf.add(causalMask(97), paddingMask(tokens()))),
          TOLERANCE,
        );
      }
    });

    it('gives a query that sees no key what the composed one does', async () => {
      await expectSameOnBoth(
        compute({ T: 37, F: 8 }, () => paddingMask(tf.zeros([2, 37]))),
        TOLERANCE,
      );
    });

    it('is exact where scores are large', async () => {
      const large = (): tf.Tensor[] => {
        const [query, key] = [tf.mul(floats([1, 1, 37, 8], 1), 20), tf.mul(floats([1, 1, 37, 8], 2), 20)];
        return [
          attention(query as tf.Tensor4D, key as tf.Tensor4D, floats([1, 1, 37, 8], 3) as tf.Tensor4D, causalMask(37)),
        ];
      };
      await expectSameOnBoth(large, 1e-3);
    });

    it('gives the same bits each time', async () => {
      const run = async (): Promise<number[][]> => {
        const tensors = tf.tidy(compute({ H: 4, K: 2, T: 67, F: 8 }, () => causalMask(67)));
        const values = await Promise.all(tensors.map(async (x) => [...(await x.data())]));
        tf.dispose(tensors);
        return values;
      };
      expect(await run()).to.deep.equal(await run());
    });

    it('composes few queries and heads of other sizes', async () => {
      await expectSameOnBoth(
        compute({ T: 1, S: 11, F: 8 }, () => tf.scalar(0)),
        TOLERANCE,
      );
      await expectSameOnBoth(
        compute({ T: 11, F: 6 }, () => causalMask(11)),
        TOLERANCE,
      );
    });

    for (const [lanes, size, F] of [
      [64, 'small', 32],
      [128, 'usual', 40],
      [128, 'usual', 64],
      [256, 'large', 72],
      [256, 'large', 128],
    ]) {
      it(`takes ${size} heads of ${F}, ${lanes} lanes`, () =>
        expectSameOnBoth(
          compute({ B: 1, T: 37, F: F as number }, () => causalMask(37)),
          TOLERANCE,
        ));
    }
  });
});
