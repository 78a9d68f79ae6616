import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { wasmBatchMatMul } from '../../../src/kernels/wasm/batch_mat_mul';
import { expectSameAsCpu, floats, ints } from '../against_cpu';
import { expectProducts, layouts } from '../product_float64';

/** Operands of op(a) · op(b) = [...batch, M, N], stored as the flags say. */
function operands(batch: number[], [M, K, N]: number[], [ta, tb]: readonly [boolean, boolean]): [tf.Tensor, tf.Tensor] {
  return [floats([...batch, ...(ta ? [K, M] : [M, K])], 3), floats([...batch, ...(tb ? [N, K] : [K, N])], 5)];
}

describe('BatchMatMul on wasm', () => {
  before(() => tf.setBackend('wasm'));

  it('multiplies two by two by hand', async () => {
    // [[1,2],[3,4]] · [[5,6],[7,8]]ᵀ = [[17,23],[39,53]]
    const { values } = await expectSameAsCpu(() =>
      tf.matMul(
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
        false,
        true,
      ),
    );
    expect(values).to.deep.equal([17, 23, 39, 53]);
  });

  for (const flag of layouts) {
    const [ta, tb] = flag;
    const name = `transposeA ${ta}, transposeB ${tb}`;

    it(`agrees with cpu in two dimensions, ${name}`, async () => {
      for (const sizes of [
        [1, 1, 1],
        [7, 5, 3],
        [2, 11, 131],
        [131, 11, 2],
        [1, 13, 257],
        [37, 1, 41],
      ]) {
        await expectSameAsCpu(() => tf.matMul(...operands([], sizes, flag), ta, tb), 1e-5);
      }
    });

    it(`agrees with cpu in batches, ${name}`, async () => {
      for (const sizes of [
        [3, 5, 2],
        [23, 29, 31],
      ]) {
        for (const batch of [[1], [7], [2, 3], [1, 1]])
          await expectSameAsCpu(() => tf.matMul(...operands(batch, sizes, flag), ta, tb), 1e-5);
      }
    });

    it(`gives nothing or zeros where a size is zero, ${name}`, async () => {
      for (const sizes of [
        [0, 3, 5],
        [5, 3, 0],
        [5, 0, 3],
      ]) {
        for (const batch of [[], [2], [0]]) {
          await tf.setBackend('wasm');
          tf.tidy(() => {
            const product = tf.matMul(...operands(batch, sizes, flag), ta, tb);
            expect(product.shape).to.deep.equal([...batch, sizes[0], sizes[2]]);
            expect(Array.from(product.dataSync()).every((value) => value === 0)).to.equal(true);
          });
        }
      }
    });

    it(`has cpu's gradients, ${name}`, async () => {
      for (const [batch, sizes] of [
        [[], [7, 5, 3]],
        [
          [2, 3],
          [23, 29, 31],
        ],
      ]) {
        for (const which of [0, 1]) {
          await expectSameAsCpu(
            () => tf.grads((a, b) => tf.square(tf.matMul(a, b, ta, tb)))(operands(batch, sizes, flag))[which],
            2e-5,
          );
        }
      }
    });
  }

  it('equals float64 on both sides of the rows from which B is packed, and of the blocks of K', async () => {
    await tf.setBackend('wasm');
    for (const M of [1, 2, 3, 15, 16, 17, 65]) {
      for (const K of [0, 1, 3, 4, 255, 256, 257, 300]) expectProducts([], [], [M, K, 13]);
    }
  });

  it('equals float64 on both sides of the panels and blocks of N', async () => {
    await tf.setBackend('wasm');
    for (const N of [1, 3, 7, 8, 9, 255, 256, 257]) {
      for (const [M, K] of [
        [3, 5],
        [16, 257],
        [17, 257],
      ])
        expectProducts([], [], [M, K, N]);
    }
  });

  it('equals float64 where batches are broadcast against each other, which tfjs pairs wrongly', async () => {
    await tf.setBackend('wasm');
    for (const sizes of [
      [3, 5, 2],
      [17, 11, 13],
    ]) {
      for (const [a, b] of [
        [
          [2, 1],
          [1, 3],
        ],
        [
          [2, 1],
          [1, 2],
        ],
        [
          [2, 3],
          [2, 1],
        ],
        [[3], [2, 3]],
        [
          [5, 1, 2],
          [3, 1],
        ],
        [[], [5]],
        [[1], [5]],
      ])
        expectProducts(a, b, sizes);
    }
    expectProducts([0, 1], [1, 3], [2, 3, 5]);
  });

  it('equals float64 on any sizes', async () => {
    await tf.setBackend('wasm');
    const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
    const property = fc.property(size(40), size(300), size(40), fc.constantFrom(...layouts), (M, K, N, layout) =>
      expectProducts([2], [2], [M, K, N], [layout]),
    );
    fc.assert(property, { numRuns: 60, seed: 1 });
  });

  it('leaves fused products with bias and activation as they are', async () => {
    for (const activation of ['linear', 'relu'] as const) {
      await expectSameAsCpu(
        () =>
          tf.fused.matMul({
            a: floats([7, 5], 1) as tf.Tensor2D,
            b: floats([5, 3], 2) as tf.Tensor2D,
            bias: floats([3], 3),
            activation,
          }),
        1e-5,
      );
    }
  });

  it('multiplies a batch by one matrix', async () => {
    await expectSameAsCpu(() => tf.matMul(floats([5, 7, 11], 1), floats([1, 11, 13], 2)), 1e-5);
    await expectSameAsCpu(() => tf.matMul(floats([2, 3, 7, 11], 1), floats([13, 11], 2), false, true), 1e-5);
    await expectSameAsCpu(() => tf.matMul(floats([1, 7, 11], 1), floats([3, 11, 13], 2)), 1e-5);
  });

  it('leaves its operands as they were', async () => {
    await tf.setBackend('wasm');
    tf.tidy(() => {
      const [a, b] = operands([4], [23, 29, 31], [true, true]);
      const before = [a, b].map((x) => Array.from(x.dataSync()));
      tf.matMul(a, b, true, true);
      expect([a, b].map((x) => Array.from(x.dataSync()))).to.deep.equal(before);
    });
  });

  it("keeps tfjs's messages", async () => {
    await tf.setBackend('wasm');
    expect(() => tf.tidy(() => tf.matMul(floats([2, 3], 1), floats([5, 7], 2)))).to.throw('inner shapes (3) and (5)');
    expect(() => tf.tidy(() => tf.matMul(ints([2, 3], 5, 1), ints([3, 2], 5, 2)))).to.throw('non-float32');
  });

  it('is left out where there is nothing to build on', () => {
    expect(wasmBatchMatMul.create(undefined)).to.equal(undefined);
  });
});
