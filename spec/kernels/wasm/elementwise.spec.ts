import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { expectSameAsCpu, floats, ints } from '../against_cpu';

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** Each with what rounding allows: of 0 where one rounding is all there is. */
const unaries: Record<string, [Unary, number]> = {
  exp: [tf.exp, 2e-7],
  sigmoid: [tf.sigmoid, 2e-7],
  sqrt: [tf.sqrt, 0],
  rsqrt: [tf.rsqrt, 2e-7],
  square: [tf.square, 0],
  neg: [tf.neg, 0],
};
const binaries: Record<string, Binary> = { add: tf.add, sub: tf.sub, mul: tf.mul, div: tf.div };
const SIZES = [0, 1, 2, 3, 4, 5, 31];
const ULP = 2 ** -23; // of float32, relative to the power of two below

/** On wasm. */
function valuesOf(compute: () => tf.Tensor): number[] {
  return Array.from(tf.tidy(() => compute().dataSync()));
}

/** Error in units in the last place of float32 at `wanted`. */
function ulps(value: number, wanted: number): number {
  return Math.abs(value - wanted) / (ULP * 2 ** Math.floor(Math.log2(Math.abs(wanted))));
}

describe('unary kernels on wasm', () => {
  for (const [name, [op, tolerance]] of Object.entries(unaries)) {
    const positive = name === 'sqrt' || name === 'rsqrt';
    const prepare = (x: tf.Tensor): tf.Tensor => (positive ? tf.add(tf.abs(x), 0.01) : x);

    it(`${name} agrees with cpu on every size around the four lanes`, async () => {
      for (const size of SIZES) await expectSameAsCpu(() => op(prepare(floats([size], 1))), tolerance);
      await expectSameAsCpu(() => op(prepare(floats([2, 3, 5, 7], 1))), tolerance);
      await expectSameAsCpu(() => op(prepare(floats([], 1))), tolerance);
    });

    it(`${name} agrees with cpu on NaN, infinities, zeros and the largest numbers, in the lanes and in the rest`, async () => {
      const special = [
        NaN,
        Infinity,
        -Infinity,
        0,
        -0,
        3.4e38,
        -3.4e38,
        1.2e-38,
        88.5,
        -86.5,
        1,
        -1,
        NaN,
        Infinity,
        -Infinity,
      ];
      for (let shift = 0; shift < 4; shift++)
        await expectSameAsCpu(() => op(tf.tensor1d(special.slice(shift))), tolerance);
    });

    it(`${name} has cpu's gradient`, async () => {
      await expectSameAsCpu(() => tf.grad((x) => op(prepare(x)))(floats([3, 7], 1)), 1e-4);
    });
  }

  it('square and neg keep integers', async () => {
    for (const size of SIZES) {
      await expectSameAsCpu(() => tf.square(ints([size], 100, 1)));
      await expectSameAsCpu(() => tf.neg(ints([size], 100, 1)));
    }
  });

  it('exp is within two units in the last place of the exact value wherever it is a normal number', async () => {
    await tf.setBackend('wasm');
    const x = Float32Array.from({ length: 20_011 }, (_, i) => -86.5 + (i / 20_010) * 175.2); // to 88.7
    const y = valuesOf(() => tf.exp(tf.tensor1d(x)));
    expect(Math.max(...y.map((value, i) => ulps(value, Math.exp(x[i]))))).to.be.at.most(2);
  });

  it('sigmoid is within four units in the last place of the exact value', async () => {
    await tf.setBackend('wasm');
    const x = Float32Array.from({ length: 20_011 }, (_, i) => -86 + (i / 20_010) * 176);
    const y = valuesOf(() => tf.sigmoid(tf.tensor1d(x)));
    expect(Math.max(...y.map((value, i) => ulps(value, 1 / (1 + Math.exp(-x[i])))))).to.be.at.most(4);
  });

  it('exp is 0 where the result would be close to the smallest normal number', async () => {
    await tf.setBackend('wasm');
    expect(valuesOf(() => tf.exp(tf.tensor1d([-86.7, -87.5, -100, -1e9, -Infinity])))).to.deep.equal([0, 0, 0, 0, 0]);
    expect(valuesOf(() => tf.exp(tf.tensor1d([-86.59, 88.72, 88.73])))).to.satisfy(
      ([small, large, more]: number[]) => small > 0 && large < Infinity && more === Infinity,
    );
  });
});

describe('binary kernels on wasm', () => {
  /** Which of both is broadcast is tried both ways. */
  const pairs: [string, number[], number[]][] = [
    ['equal shapes', [3, 7], [3, 7]],
    ['equal sizes of different rank', [1, 5], [5]],
    ['a number', [3, 7], []],
    ['a number of rank 2', [7], [1, 1]],
    ['a row', [3, 7], [7]],
    ['a row with leading ones', [2, 3, 7], [1, 1, 7]],
    ['a row of higher rank than the whole', [3, 5], [1, 1, 5]],
    ['a block', [2, 3, 7], [3, 7]],
    ['a column', [5, 31], [5, 1]],
    ['a column of one-number lines', [5, 1], [5, 1]],
    ['a column of a batch', [3, 2, 7], [3, 1, 1]],
    ['a column of two axes', [3, 2, 7], [3, 2, 1]],
    ['a middle axis', [3, 5, 7], [3, 1, 7]],
    ['a column without the batch', [3, 5, 7], [5, 1]],
    ['a column against a row', [5, 1], [1, 3]],
    ['both broadcast', [3, 1, 7], [1, 5, 7]],
    ['nothing', [0, 7], [0, 7]],
    ['nothing and a row', [0, 7], [7]],
    ['nothing and a number', [3, 0], [1]],
    ['nothing and a column', [3, 0], [3, 1]],
  ];

  for (const [name, op] of Object.entries(binaries)) {
    it(`${name} equals cpu on every kind of broadcast, either way round`, async () => {
      for (const [kind, a, b] of pairs) {
        await expectSameAsCpu(() => op(floats(a, 1), floats(b, 2))).catch((error: Error) =>
          expect.fail(`${kind}: ${error.message}`),
        );
        await expectSameAsCpu(() => op(floats(b, 1), floats(a, 2))).catch((error: Error) =>
          expect.fail(`${kind}, turned: ${error.message}`),
        );
      }
    });

    it(`${name} equals cpu on every size around the four lanes`, async () => {
      for (const size of SIZES) {
        await expectSameAsCpu(() => op(floats([size], 1), floats([size], 2)));
        await expectSameAsCpu(() => op(floats([3, size], 1), floats([3, 1], 2)));
        await expectSameAsCpu(() => op(floats([size], 1), floats([3, size], 2)));
        await expectSameAsCpu(() => op(floats([], 1), floats([size], 2)));
      }
    });

    it(`${name} keeps integers, and mixes them with floats`, async () => {
      const divisor = (shape: number[]): tf.Tensor => tf.add(ints(shape, 7, 2), tf.scalar(1, 'int32'));
      for (const [, a, b] of pairs) {
        await expectSameAsCpu(() => op(ints(a, 50, 1), divisor(b)));
        await expectSameAsCpu(() => op(floats(a, 1), divisor(b)));
      }
    });

    it(`${name} has cpu's gradients`, async () => {
      for (const [a, b] of [
        [
          [3, 7],
          [3, 1],
        ],
        [[7], [3, 7]],
        [[3, 7], []],
      ]) {
        for (const which of [0, 1])
          await expectSameAsCpu(() => tf.grads(op)([floats(a, 1), tf.add(tf.abs(floats(b, 2)), 1)])[which], 1e-5);
      }
    });
  }

  it('give the infinities and NaN of cpu', async () => {
    const values = [NaN, Infinity, -Infinity, 0, -0, 3.4e38, 1e-38];
    for (const op of Object.values(binaries))
      await expectSameAsCpu(() => op(tf.tensor2d(values, [7, 1]), tf.tensor1d(values)));
    for (const op of Object.values(binaries))
      await expectSameAsCpu(() => op(tf.tensor1d(values), tf.tensor1d([...values].reverse())));
  });

  it('equal cpu on any two shapes that fit', async () => {
    const axis = fc.record({
      size: fc.integer({ min: 0, max: 6 }),
      one: fc.constantFrom('neither', 'neither', 'first', 'second'),
    });
    const shapes = fc.record({
      axes: fc.array(axis, { maxLength: 4 }),
      dropped: fc.nat(4),
      from: fc.constantFrom('first', 'second'),
    });
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(...Object.values(binaries)), async ({ axes, dropped, from }, op) => {
        const shapeOf = (which: string): number[] =>
          axes.map(({ size, one }) => (one === which ? 1 : size)).slice(from === which ? dropped : 0);
        await expectSameAsCpu(() => op(floats(shapeOf('first'), 1), floats(shapeOf('second'), 2)));
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('refuse shapes that do not fit', async () => {
    await tf.setBackend('wasm');
    for (const op of Object.values(binaries)) {
      expect(() => tf.tidy(() => op(floats([3, 5], 1), floats([3], 2)))).to.throw(
        'Operands could not be broadcast together with shapes 3,5 and 3.',
      );
    }
  });
});
