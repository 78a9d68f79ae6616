import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { rearrangedMatMul } from '../../../src/kernels/wasm/rearranged_mat_mul';
import { floats, ints } from '../against_cpu';
import { expectProducts } from '../product_float64';
import { withoutOwnKernels } from '../without_own_kernels';

describe('rearrangedMatMul', () => {
  let ours: tf.KernelConfig;

  /**
   * In the place of the SIMD kernel, as where tfjs runs on several threads; setting the backend would put that one
   * back.
   */
  before(async () => {
    await tf.setBackend('wasm');
    const [stock, transpose] = withoutOwnKernels(() =>
      ['BatchMatMul', 'Transpose'].map((name) => tf.getKernel(name, 'wasm').kernelFunc),
    );
    ours = tf.getKernel('BatchMatMul', 'wasm');
    replace({ ...ours, kernelFunc: rearrangedMatMul(stock, transpose) });
  });
  after(() => replace(ours));

  function replace(config: tf.KernelConfig): void {
    tf.unregisterKernel('BatchMatMul', 'wasm');
    tf.registerKernel(config);
  }

  it('equals float64 in two dimensions, also where it turns a wide product over', () => {
    for (const sizes of [
      [1, 1, 1],
      [7, 5, 3],
      [3, 11, 131],
      [131, 11, 2],
      [1, 257, 13],
    ])
      expectProducts([], [], sizes);
  });

  it('equals float64 in batches, below and above the size from which each runs by itself', () => {
    for (const sizes of [
      [3, 5, 2],
      [23, 29, 31],
    ]) {
      for (const batch of [[1], [7], [2, 3], [1, 1]]) expectProducts(batch, batch, sizes);
    }
  });

  it('equals float64 where one operand has no batch, or one of its own size', () => {
    for (const sizes of [
      [3, 5, 2],
      [23, 29, 31],
    ]) {
      for (const [a, b] of [
        [[5], []],
        [[5], [1]],
        [[], [5]],
        [[1], [5]],
        [
          [2, 3],
          [1, 1],
        ],
      ])
        expectProducts(a, b, sizes);
    }
  });

  it('equals float64 where batches are broadcast against each other, which tfjs pairs wrongly', () => {
    for (const sizes of [
      [3, 5, 2],
      [23, 29, 31],
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
      ])
        expectProducts(a, b, sizes);
    }
  });

  it('gives zeros or nothing where a size is zero', () => {
    for (const sizes of [
      [0, 3, 5],
      [5, 3, 0],
      [5, 0, 3],
    ]) {
      for (const batch of [[], [2], [0]]) expectProducts(batch, batch, sizes);
    }
    expectProducts([0, 1], [1, 3], [2, 3, 5]);
  });

  it("keeps tfjs's messages", () => {
    expect(() => tf.tidy(() => tf.matMul(floats([2, 3], 1), floats([5, 7], 2)))).to.throw('inner shapes (3) and (5)');
    expect(() => tf.tidy(() => tf.matMul(floats([2, 3, 5], 1), floats([3, 5, 7], 2)))).to.throw(
      'Operands could not be broadcast together with shapes 2 and 3.',
    );
    expect(() => tf.tidy(() => tf.matMul(ints([2, 3], 5, 1), ints([3, 2], 5, 2)))).to.throw('non-float32');
  });
});
