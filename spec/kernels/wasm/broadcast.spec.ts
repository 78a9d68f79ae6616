import * as tf from '@tensorflow/tfjs-core';
import { bools, expectSameAsCpu, floats, ints } from '../against_cpu';

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const compared: Record<string, Binary> = {
  equal: tf.equal,
  notEqual: tf.notEqual,
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
  maximum: tf.maximum,
  minimum: tf.minimum,
};
const arithmetic: Record<string, Binary> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  squaredDifference: tf.squaredDifference,
};
/** Shapes around and above the size from which operands are repeated first. */
const shapes = [
  [
    [7, 41],
    [7, 1],
  ],
  [
    [7, 1],
    [7, 41],
  ],
  [
    [41, 1],
    [1, 43],
  ],
  [
    [3, 5, 19],
    [5, 1],
  ],
  [
    [3, 1, 19],
    [5, 1],
  ],
  [
    [3, 5, 19],
    [3, 1, 19],
  ],
  [
    [3, 5, 19],
    [1, 5, 19],
  ],
  [[7, 41], [41]],
  [[7, 41], []],
  [[1, 1], [300]],
  [
    [5, 1],
    [5, 3],
  ],
  [
    [0, 5],
    [1, 1],
  ],
];

describe('broadcasts on wasm', () => {
  for (const [name, op] of Object.entries({ ...compared, ...arithmetic })) {
    it(`${name} agrees with cpu on floats and integers`, async () => {
      for (const [a, b] of shapes) {
        await expectSameAsCpu(() => op(tf.round(floats(a, 1)), tf.round(floats(b, 2))), 1e-6);
        await expectSameAsCpu(() => op(ints(a, 3, 1), ints(b, 3, 2)));
      }
    });
  }

  it('logicalAnd and logicalOr agree with cpu', async () => {
    for (const [a, b] of shapes) {
      await expectSameAsCpu(() => tf.logicalAnd(bools(a, 1), bools(b, 2)));
      await expectSameAsCpu(() => tf.logicalOr(bools(a, 1), bools(b, 2)));
    }
  });

  it('pow, floorDiv and mod agree with cpu', async () => {
    for (const [a, b] of shapes) {
      const divisor = (): tf.Tensor => tf.add(ints(b, 3, 2), tf.scalar(1, 'int32'));
      await expectSameAsCpu(() => tf.pow(tf.abs(floats(a, 1)), floats(b, 2)), 1e-5);
      await expectSameAsCpu(() => tf.floorDiv(ints(a, 50, 1), divisor()));
      await expectSameAsCpu(() => tf.mod(ints(a, 50, 1), divisor()));
    }
  });

  it("have cpu's gradients through max and logSumExp", async () => {
    await expectSameAsCpu(() => tf.grad((x) => tf.max(x, 1))(floats([7, 41], 1)), 1e-6);
    await expectSameAsCpu(() => tf.grad((x) => tf.logSumExp(x, 1))(floats([7, 41], 1)), 1e-6);
  });
});
