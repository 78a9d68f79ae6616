import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { bools, expectSameAsCpu, floats, ints } from '../against_cpu';

type Make = (shape: number[], seed: number) => tf.Tensor;

const makers: Record<string, Make> = { float32: floats, int32: (shape, seed) => ints(shape, 1000, seed), bool: bools };
/**
 * Lines below and above the 128 bytes from which they are copied as one block, most of them no whole number of vectors.
 */
const shapes = [[11], [7, 5], [5, 6, 3], [3, 7, 31], [2, 5, 3, 33]];

function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, at) => [...rest.slice(0, at), n - 1, ...rest.slice(at)]),
  );
}

describe('SplitV on wasm', () => {
  for (const [dtype, make] of Object.entries(makers)) {
    it(`agrees with cpu along every axis on ${dtype}`, async () => {
      for (const shape of shapes) {
        for (let axis = -shape.length; axis < shape.length; axis++) {
          const size = shape.at(axis)!;
          for (const sizes of [[size], [1, size - 1], [0, size], [1, 0, size - 1], [size - 1, -1]]) {
            for (const part of sizes.keys()) await expectSameAsCpu(() => tf.split(make(shape, 1), sizes, axis)[part]);
          }
        }
      }
    });
  }

  it('takes a number of equal parts', async () => {
    for (const [number, axis] of [
      [2, 1],
      [3, -1],
      [5, 0],
    ]) {
      for (let part = 0; part < number; part++)
        await expectSameAsCpu(() => tf.split(floats([5, 2, 3], 1), number, axis)[part]);
    }
  });

  it('takes empty tensors', async () => {
    for (const axis of [0, 2]) await expectSameAsCpu(() => tf.split(floats([2, 0, 3], 1), [1, -1], axis)[1]);
  });

  it("has cpu's gradient", async () => {
    await expectSameAsCpu(() => tf.grad((x) => tf.square(tf.split(x, [2, 3], 1)[1]))(floats([3, 5, 7], 1)), 1e-6);
  });

  it("keeps tfjs's messages", async () => {
    await tf.setBackend('wasm');
    expect(() => tf.tidy(() => tf.split(floats([2, 6], 1), [1, 2], 1))).to.throw(
      'The sum of sizes must match the size of the axis dimension.',
    );
    expect(() => tf.tidy(() => tf.split(floats([2, 6], 1), 4, 1))).to.throw(
      'Number of splits must evenly divide the axis.',
    );
  });
});

describe('Concat on wasm', () => {
  for (const [dtype, make] of Object.entries(makers)) {
    it(`agrees with cpu along every axis on ${dtype}`, async () => {
      for (const shape of shapes) {
        for (let axis = -shape.length; axis < shape.length; axis++) {
          const part = (size: number, seed: number): tf.Tensor => make(shape.with(axis, size), seed);
          for (const sizes of [[1, 4], [3, 1, 2], [0, 3], [2, 0, 5], [0, 0], [3]])
            await expectSameAsCpu(() => tf.concat(sizes.map(part), axis));
        }
      }
    });
  }

  it('mixes types as cpu does', async () => {
    await expectSameAsCpu(() => tf.concat([floats([2, 3], 1), tf.cast(ints([5, 3], 7, 2), 'float32')], 0));
  });

  it("has cpu's gradient", async () => {
    const joined = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.square(tf.concat([a, b], 1));
    for (const which of [0, 1])
      await expectSameAsCpu(() => tf.grads(joined)([floats([3, 2, 5], 1), floats([3, 7, 5], 2)])[which], 1e-6);
  });

  it('refuses parts that do not fit, empty ones too', async () => {
    await tf.setBackend('wasm');
    const joined =
      (...parts: number[][]) =>
      (): tf.Tensor =>
        tf.tidy(() =>
          tf.concat(
            parts.map((shape) => floats(shape, 1)),
            0,
          ),
        );
    const before = tf.backend().numDataIds();
    expect(joined([2, 3], [2, 5])).to.throw(
      'Shape of tensors[1] (2,5) does not match the shape of the rest (2,3) along the non-concatenated axis 1.',
    );
    expect(joined([2, 3], [2])).to.throw('rank of tensors[1] must be the same as the rank of the rest (2)');
    expect(joined([2, 3], [2, 3], [0, 7])).to.throw('Shape of tensors[2] (0,7) does not match');
    expect(tf.backend().numDataIds()).to.equal(before);
  });

  it('puts together what SplitV took apart', async () => {
    await tf.setBackend('wasm');
    const sizes = fc.array(fc.nat(5), { minLength: 1, maxLength: 5 });
    const property = fc.property(
      sizes,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(2),
      (parts, outer, inner, axis) => {
        tf.tidy(() => {
          const total = parts.reduce((a, b) => a + b);
          const shape = [
            [total, outer, inner],
            [outer, total, inner],
            [outer, inner, total],
          ][axis];
          const x = floats(shape, 1);
          const again = tf.concat(tf.split(x, parts, axis), axis);
          expect(again.shape).to.deep.equal(shape);
          expect([...again.dataSync()]).to.deep.equal([...x.dataSync()]);
        });
      },
    );
    fc.assert(property, { numRuns: 100, seed: 1 });
  });
});

describe('Slice on wasm', () => {
  /** Every box of a shape whose edges begin at 0 or 1 and end at the end or one before it. */
  function boxes(shape: readonly number[]): [number[], number[]][] {
    return shape.reduce<[number[], number[]][]>(
      (all, n) =>
        all.flatMap(([begin, size]) =>
          [
            [0, n],
            [1, n - 1],
            [0, n - 1],
            [1, -1],
            [n, 0],
          ].map(([from, count]): [number[], number[]] => [
            [...begin, from],
            [...size, count],
          ]),
        ),
      [[[], []]],
    );
  }

  for (const [dtype, make] of Object.entries(makers)) {
    it(`agrees with cpu on every kind of box on ${dtype}`, async () => {
      for (const shape of [[11], [7, 5], [5, 3, 37], [3, 2, 3, 5]]) {
        for (const [begin, size] of boxes(shape)) await expectSameAsCpu(() => tf.slice(make(shape, 1), begin, size));
      }
    });
  }

  it('takes empty tensors, and fewer begins than axes', async () => {
    await expectSameAsCpu(() => tf.slice(floats([2, 0, 3], 1), [1, 0, 1], [1, 0, 2]));
    await expectSameAsCpu(() => tf.slice(floats([5, 3, 2], 1), [1], [3]));
    await expectSameAsCpu(() => tf.slice(floats([5, 3, 2], 1), 2));
  });

  it("keeps tfjs's message where the box does not fit", async () => {
    await tf.setBackend('wasm');
    expect(() => tf.tidy(() => tf.slice(floats([5, 3], 1), [1, 2], [2, 2]))).to.throw(
      'begin[1] + size[1] (4) would overflow input.shape[1] (3)',
    );
  });

  it("has cpu's gradient", async () => {
    await expectSameAsCpu(
      () => tf.grad((x) => tf.square(tf.slice(x, [1, 0, 2], [2, 3, 4])))(floats([3, 5, 7], 1)),
      1e-6,
    );
  });
});

describe('Transpose on wasm', () => {
  for (const [dtype, make] of Object.entries(makers)) {
    it(`agrees with cpu for every permutation of up to four axes on ${dtype}`, async () => {
      for (const shape of [[7], [7, 5], [5, 2, 3], [3, 5, 33], [2, 3, 5, 7], [2, 5, 3, 33], [1, 3, 1, 4]]) {
        for (const perm of permutations(shape.length)) await expectSameAsCpu(() => tf.transpose(make(shape, 1), perm));
      }
    });
  }

  it('takes empty tensors', async () => {
    for (const shape of [
      [0, 3, 5],
      [3, 0, 5],
      [3, 5, 0],
    ]) {
      for (const perm of permutations(3))
        for (const make of Object.values(makers)) await expectSameAsCpu(() => tf.transpose(make(shape, 1), perm));
    }
  });

  it("has cpu's gradient", async () => {
    await expectSameAsCpu(
      () => tf.grad((x) => tf.square(tf.transpose(x, [0, 2, 1, 3])))(floats([2, 3, 5, 7], 1)),
      1e-6,
    );
  });
});
