import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { bools, expectSameAsCpu, floats, ints } from '../against_cpu';

type Reduce = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;

/** Each with what rounding allows: cpu sums in float64. */
const reductions: Record<string, [Reduce, number]> = { sum: [tf.sum, 2e-6], mean: [tf.mean, 1e-6], max: [tf.max, 0] };
const shapes = [[7], [5, 7], [3, 5, 7], [2, 3, 5, 7], [1, 3, 1, 4]];

/** Every set of axes but the empty one. */
function combinations(rank: number): number[][] {
  return Array.from({ length: 2 ** rank - 1 }, (_, bits) =>
    Array.from({ length: rank }, (__, axis) => axis).filter((axis) => (bits + 1) & (1 << axis)),
  );
}

describe('reductions on wasm', () => {
  for (const [name, [op, tolerance]] of Object.entries(reductions)) {
    it(`${name} agrees with cpu over every combination of axes`, async () => {
      for (const shape of shapes) {
        for (const axes of combinations(shape.length)) {
          for (const keepDims of [false, true])
            await expectSameAsCpu(() => op(floats(shape, 1), axes, keepDims), tolerance);
        }
      }
    });

    it(`${name} takes no axes, an empty list, negative axes, axes in any order and single numbers`, async () => {
      for (const shape of [[], ...shapes]) {
        await expectSameAsCpu(() => op(floats(shape, 1)), tolerance);
        await expectSameAsCpu(() => op(floats(shape, 1), []), tolerance);
        await expectSameAsCpu(() => op(floats(shape, 1), undefined, true), tolerance);
      }
      for (const axes of [[-1], [-2, -1], [-1, -2], [2, 1], [-3, 3], [3, -4]])
        await expectSameAsCpu(() => op(floats([2, 3, 5, 7], 1), axes), tolerance);
      for (const axis of [0, 1, -1, -4]) await expectSameAsCpu(() => op(floats([2, 3, 5, 7], 1), axis), tolerance);
    });

    it(`${name} agrees with cpu on rows and columns of every size around the four lanes`, async () => {
      for (const size of [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 31]) {
        await expectSameAsCpu(() => op(floats([3, size], 1), 1), tolerance);
        await expectSameAsCpu(() => op(floats([size, 3], 1), 0), tolerance);
        await expectSameAsCpu(() => op(floats([2, 3, size], 1), 1), tolerance);
      }
    });

    it(`${name} of nothing is cpu's, which tfjs leaves unwritten`, async () => {
      for (const shape of [[0], [3, 0], [0, 3], [2, 0, 3, 5], [0, 0]]) {
        for (const axes of combinations(shape.length)) {
          for (const keepDims of [false, true]) await expectSameAsCpu(() => op(floats(shape, 1), axes, keepDims));
        }
      }
    });

    it(`${name} of integers and truth values is cpu's`, async () => {
      for (const axes of [[0], [1], [0, 1]]) {
        await expectSameAsCpu(() => op(ints([5, 7], 100, 1), axes), 1e-6);
        await expectSameAsCpu(() => op(bools([5, 7], 1), axes), 1e-6);
      }
    });

    it(`${name} passes NaN and infinities on, wherever they are`, async () => {
      for (const value of [NaN, Infinity, -Infinity]) {
        for (const size of [1, 4, 11]) {
          const x = (): tf.Tensor => tf.where(tf.cast(tf.eye(size), 'bool'), tf.scalar(value), floats([size, size], 1));
          for (const axis of [0, 1]) await expectSameAsCpu(() => op(x(), axis), tolerance);
        }
      }
    });

    it(`${name} has cpu's gradient`, async () => {
      for (const axes of [[0], [2], [0, 1], [0, 2]])
        await expectSameAsCpu(() => tf.grad((x) => tf.square(op(x, axes)))(floats([3, 5, 7], 1)), 2e-6);
    });

    it(`${name} refuses an axis that is not there`, async () => {
      await tf.setBackend('wasm');
      expect(() => tf.tidy(() => op(floats([3, 5], 1), [2]))).to.throw(
        'All values in axis param must be in range [-2, 2) but got axis 2',
      );
    });
  }

  it('mean of equal whole numbers is exact, as it divides instead of multiplying by a rounded reciprocal', async () => {
    await tf.setBackend('wasm');
    tf.tidy(() => {
      for (const size of [3, 7, 11, 41, 49, 107]) {
        // 49 * (1 / 49) is below 1
        for (const value of [1, 3, 1001]) {
          expect([...tf.mean(tf.fill([2, size], value), 1).dataSync()]).to.deep.equal([value, value]);
          expect([...tf.mean(tf.fill([size, 5], value), 0).dataSync()]).to.deep.equal(new Array(5).fill(value));
        }
      }
    });
  });

  it('max of a row of -Infinity is -Infinity', async () => {
    await expectSameAsCpu(() => tf.max(tf.fill([3, 5], -Infinity), 1));
  });

  it('sum is the same whichever of neighbouring axes come first', async () => {
    await tf.setBackend('wasm');
    const size = fc.integer({ min: 1, max: 9 });
    const property = fc.property(size, size, size, (a, b, c) => {
      tf.tidy(() => {
        const x = tf.round(tf.mul(floats([a, b, c], 1), 100)); // sums of whole numbers are exact in any order
        const wanted = [...tf.sum(x, [1, 2]).dataSync()];
        expect([...tf.sum(tf.sum(x, 2), 1).dataSync()]).to.deep.equal(wanted);
        expect([...tf.sum(tf.sum(x, 1), 1).dataSync()]).to.deep.equal(wanted);
      });
    });
    fc.assert(property, { numRuns: 100, seed: 1 });
  });
});
