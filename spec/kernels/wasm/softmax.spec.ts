import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { expectSameAsCpu, floats, ints } from '../against_cpu';
import { withoutOwnKernels } from '../without_own_kernels';

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 131];

describe('Softmax on wasm', () => {
  it('is 1 and 3 parts of four for logits 0 and ln 3', async () => {
    const { values } = await expectSameAsCpu(() => tf.softmax(tf.tensor2d([[0, Math.log(3)]])), 1e-6);
    expect(values[0]).to.be.closeTo(0.25, 1e-7);
    expect(values[1]).to.be.closeTo(0.75, 1e-7);
  });

  it('agrees with cpu on rows of every size, of every rank', async () => {
    for (const n of SIZES) {
      for (const shape of [[n], [3, n], [2, 3, n], [2, 1, 3, n]])
        await expectSameAsCpu(() => tf.softmax(tf.mul(floats(shape, 1), 5)), 1e-6);
    }
  });

  it('gives rows that sum to 1', async () => {
    await tf.setBackend('wasm');
    for (const n of SIZES)
      tf.tidy(() =>
        tf
          .sum(tf.softmax(floats([5, n], 1)), 1)
          .dataSync()
          .forEach((total) => expect(total).to.be.closeTo(1, 5e-7)),
      );
  });

  it('spreads a row that is masked everywhere evenly', async () => {
    for (const n of SIZES) await expectSameAsCpu(() => tf.softmax(tf.fill([3, n], -1e9)), 1e-7);
  });

  it('gives 0 to entries of -Infinity and to those far below the largest', async () => {
    for (const n of SIZES.slice(1)) {
      const row = (rest: number): tf.Tensor => tf.concat([tf.fill([n - 1], rest), tf.tensor1d([0.5])]);
      for (const rest of [-Infinity, -1e9, -200]) {
        const { values } = await expectSameAsCpu(() => tf.softmax(row(rest)));
        expect(values).to.deep.equal([...new Array(n - 1).fill(0), 1]);
      }
    }
  });

  it('does not overflow on large logits', async () => {
    for (const n of SIZES) {
      await expectSameAsCpu(() => tf.softmax(tf.add(floats([3, n], 1), 10_000)), 1e-6);
      await expectSameAsCpu(() => tf.softmax(tf.mul(floats([3, n], 1), 3e37)), 1e-6);
    }
  });

  it('is NaN where cpu is: of a row of -Infinity, or with a NaN or an Infinity', async () => {
    for (const row of [
      [-Infinity, -Infinity, -Infinity],
      [1, NaN, 2],
      [1, 2, Infinity],
      [1, 2, 3, 4, NaN],
    ])
      await expectSameAsCpu(() => tf.softmax(tf.tensor1d(row)));
  });

  it('takes numbers that are no tensor, and empty tensors', async () => {
    await expectSameAsCpu(
      () =>
        tf.softmax([
          [1, 2, 4],
          [0, 0, 8],
        ]),
      1e-6,
    );
    await expectSameAsCpu(() => tf.softmax(floats([0, 5], 1)));
    await expectSameAsCpu(() => tf.softmax(floats([5, 0], 1)));
  });

  it("has cpu's gradient, also where the row is masked", async () => {
    for (const n of SIZES) {
      const mask = (): tf.Tensor => tf.mul(tf.cast(ints([3, n], 2, 7), 'float32'), -1e9);
      await expectSameAsCpu(() => tf.grad((x) => tf.mul(tf.softmax(x), floats([3, n], 2)))(floats([3, n], 1)), 1e-6);
      await expectSameAsCpu(
        () => tf.grad((x) => tf.mul(tf.softmax(tf.add(x, mask())), floats([3, n], 2)))(floats([3, n], 1)),
        1e-6,
      );
    }
  });

  it("has tfjs's gradient along another axis", async () => {
    await tf.setBackend('wasm');
    tf.tidy(() => {
      const [y, dy] = [floats([5, 3], 1), floats([5, 3], 2)];
      for (const dim of [0, 1, -1]) {
        const gradient = (): number[] => [...tf.getGradient('Softmax').gradFunc(dy, [y], { dim }).logits().dataSync()];
        const wanted = withoutOwnKernels(gradient);
        gradient().forEach((value, i) => expect(value).to.be.closeTo(wanted[i], 1e-6));
      }
    });
  });

  it('has gradients that are 0 for empty tensors', async () => {
    await expectSameAsCpu(() => tf.grad((x) => tf.softmax(x))(floats([0, 5], 1)));
  });
});
