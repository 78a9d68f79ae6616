import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { onWebGpu } from '../../support/backends';
import { floats } from '../against_cpu';
import { expectSameOnBoth, renamed } from './on_both';
import { withLimits } from './with_limits';

const [NEITHER, BOTH] = [
  [false, false],
  [true, true],
];
const LAYOUTS = [NEITHER, [false, true], [true, false], BOTH];

/** Shapes of two operands whose product is [..., m, n], as they lie in memory. */
function operands(
  [m, k, n]: number[],
  [transposeA, transposeB]: boolean[],
  [batchA, batchB]: number[][] = [[], []],
): [number[], number[]] {
  return [
    [...batchA, ...(transposeA ? [k, m] : [m, k])],
    [...batchB, ...(transposeB ? [n, k] : [k, n])],
  ];
}

function expectSameProduct(sizes: number[], layout: boolean[], batches?: number[][], tolerance = 1e-5): Promise<void> {
  const [a, b] = operands(sizes, layout, batches);
  return expectSameOnBoth(() => [tf.matMul(floats(a, 1), floats(b, 2), layout[0], layout[1])], tolerance);
}

describe('BatchMatMul', () => {
  onWebGpu(() => {
    it('agrees with cpu in every layout', async () => {
      for (const layout of LAYOUTS) await expectSameProduct([37, 29, 41], layout);
    });

    it('agrees with cpu around the sizes of tiles and of vectors', async () => {
      for (const [sizes, layout] of [
        [[32, 32, 32], NEITHER],
        [[33, 5, 67], NEITHER],
        [[36, 36, 76], BOTH],
        [[67, 71, 5], BOTH],
      ] as const)
        await expectSameProduct([...sizes], layout);
    });

    it('takes flat tiles for few rows', async () => {
      for (const [sizes, layout] of [
        [[8, 16, 128], NEITHER],
        [[1, 20, 132], NEITHER],
        [[1, 1, 1], BOTH],
        [[7, 33, 131], BOTH],
      ] as const)
        await expectSameProduct([...sizes], layout);
    });

    it('takes large tiles where there are many of them', async () => {
      for (const [sizes, layout] of [
        [[512, 20, 512], NEITHER],
        [[521, 19, 523], BOTH],
      ] as const)
        await expectSameProduct([...sizes], layout);
    });

    it('cuts a long inner axis where the product is small, and gives the same bits each time', async () => {
      for (const sizes of [
        [37, 2048, 12],
        [37, 1031, 3],
      ])
        await expectSameProduct(sizes, NEITHER, undefined, 1e-4);
      const [x, y] = tf.tidy(() => [floats([5, 4099], 1), floats([4099, 7], 2)]);
      const products = [1, 2].map(() => tf.matMul(x, y));
      const [first, second] = await Promise.all(products.map((product) => product.data()));
      expect(second).to.deep.equal(first);
      tf.dispose([x, y, ...products]);
    });

    it('multiplies batches, one with one or all with a single one', async () => {
      for (const batches of [
        [[3], [3]],
        [
          [2, 3],
          [2, 3],
        ],
        [[3], [1]],
        [[1], [3]],
        [[2, 3], []],
        [[], [2, 3]],
      ])
        await expectSameProduct([11, 5, 7], NEITHER, batches);
      await expectSameProduct([11, 5, 7], BOTH, [[3], [1]]);
    });

    it('multiplies batches broadcast against each other as if they were repeated, which tfjs itself gets wrong', async () => {
      for (const [batchA, batchB, batch] of [
        [
          [2, 1, 3],
          [5, 1],
          [2, 5, 3],
        ],
        [
          [2, 1],
          [1, 3],
          [2, 3],
        ],
      ]) {
        const repeat = (x: tf.Tensor): tf.Tensor =>
          tf.getBackend() === 'cpu' ? tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]) : x;
        await expectSameOnBoth(
          () => [tf.matMul(repeat(floats([...batchA, 11, 5], 1)), repeat(floats([...batchB, 5, 7], 2)))],
          1e-5,
        );
      }
    });

    it('takes more batches than a grid is wide', async () => {
      await withLimits({ maxComputeWorkgroupsPerDimension: 7 }, () =>
        expectSameProduct([11, 5, 7], NEITHER, [[37], [37]]),
      );
    });

    it('gives zeros over an inner axis of none, and empty products', async () => {
      for (const sizes of [
        [3, 0, 5],
        [0, 3, 5],
        [3, 5, 0],
      ])
        await expectSameProduct(sizes, [false, false]);
      await expectSameProduct([3, 2, 5], [false, true], [[0], [0]]);
    });

    it("has cpu's gradients", async () => {
      for (const layout of [NEITHER, BOTH]) {
        const [a, b] = operands([11, 37, 9], layout, [[3], [3]]);
        await expectSameOnBoth(
          () => tf.grads((x, y) => tf.square(tf.matMul(x, y, layout[0], layout[1])))([floats(a, 1), floats(b, 2)]),
          1e-4,
        );
      }
    });

    it('reads integers that a cast has renamed', async () => {
      await expectSameOnBoth(() => [tf.matMul(renamed([11, 5], 7, 1), floats([5, 7], 2))], 1e-5);
    });
  });
});
