import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { addRowsBySegment } from '../../src/kernels/unsorted_segment_sum';
import { shadow } from '../../src/shadow';
import { forEachBackend } from '../support/backends';
import { expectSameAsCpu, floats, ints } from './against_cpu';

/** Also gives the number of outputs that the backend makes meanwhile. */
function countOutputs<T>(run: () => T): { result: T; numOutputs: number } {
  const backend: Record<string, (...args: unknown[]) => unknown> = Object(tf.backend());
  let numOutputs = 0;
  const restores = ['makeTensorInfo', 'makeOutput', 'executeSingleOutput'] // of cpu, wasm and tensorflow
    .filter((name) => name in backend)
    .map((name) =>
      shadow(
        backend,
        name,
        (make) =>
          (...args) => (numOutputs++, make(...args)),
      ),
    );
  try {
    const result = run();
    return { result, numOutputs };
  } finally {
    for (const restore of restores) restore();
  }
}

describe('UnsortedSegmentSum', () => {
  forEachBackend((backend) => {
    // its own kernel leaves out negative segments alone, and checks the others itself
    const isTensorFlow = backend === 'tensorflow';

    it('adds rows that share a segment', () => {
      // segment 0: rows 0 and 2; segment 1: none; segment 2: row 1
      const sum = tf.unsortedSegmentSum(
        tf.tensor2d([
          [1, 2],
          [10, 20],
          [3, 4],
        ]),
        tf.tensor1d([0, 2, 0], 'int32'),
        3,
      );
      expect(sum.arraySync()).to.deep.equal([
        [4, 6],
        [0, 0],
        [10, 20],
      ]);
    });

    it('leaves out rows without a segment', () => {
      const sum = tf.unsortedSegmentSum(
        tf.tensor1d([1, 2, 4, 8]),
        tf.tensor1d([-1, 1, isTensorFlow ? -3 : 2, 1], 'int32'),
        2,
      );
      expect(sum.arraySync()).to.deep.equal([0, 10]);
    });

    it('equals the product with one-hot rows', () => {
      tf.tidy(() => {
        const [rows, segments, inner] = [97, 13, 7];
        const x = floats([rows, inner], 1) as tf.Tensor2D;
        const ids = ints([rows], segments, 2) as tf.Tensor1D;
        const wanted = tf.matMul(tf.oneHot(ids, segments), x, true, false);
        const error = tf.max(tf.abs(tf.sub(tf.unsortedSegmentSum(x, ids, segments), wanted)));
        expect(error.dataSync()[0]).to.be.lessThan(1e-5);
      });
    });

    it('keeps integers', () => {
      const sum = tf.unsortedSegmentSum(tf.tensor1d([5, 7, 11], 'int32'), tf.tensor1d([1, 1, 0], 'int32'), 2);
      expect(sum.dtype).to.equal('int32');
      expect(sum.arraySync()).to.deep.equal([11, 12]);
    });

    it('takes empty input and rows of size zero', () => {
      expect(tf.unsortedSegmentSum(tf.zeros([0, 3]), tf.tensor1d([], 'int32'), 2).arraySync()).to.deep.equal([
        [0, 0, 0],
        [0, 0, 0],
      ]);
      expect(tf.unsortedSegmentSum(tf.zeros([2, 0]), tf.tensor1d([0, 1], 'int32'), 3).shape).to.deep.equal([3, 0]);
      expect(
        tf.unsortedSegmentSum(tf.zeros([2, 3]), tf.tensor1d(isTensorFlow ? [-1, -1] : [0, 1], 'int32'), 0).shape,
      ).to.deep.equal([0, 3]);
    });

    it('is the gradient of gather', () => {
      // each row of the table receives as many ones as it was read
      const gradient = tf.grad((table) => tf.gather(table, tf.tensor1d([2, 0, 2], 'int32')))(tf.zeros([4, 2]));
      expect(gradient.arraySync()).to.deep.equal([
        [1, 1],
        [0, 0],
        [2, 2],
        [0, 0],
      ]);
    });

    it('takes one pass, whatever the number of segments', () => {
      tf.tidy(() => {
        const [rows, ids] = [tf.ones([300, 16]), ints([300], 300, 3) as tf.Tensor1D];
        const { result, numOutputs } = countOutputs(() => tf.unsortedSegmentSum(rows, ids, 300));
        expect(numOutputs).to.be.within(1, 2); // tfjs's kernel for cpu makes several for each segment
        expect(tf.sum(result).dataSync()[0]).to.equal(300 * 16);
      });
    });

    it('refuses segments of another length', () => {
      expect(() => tf.unsortedSegmentSum(tf.zeros([3, 2]), tf.tensor1d([0, 1], 'int32'), 2)).to.throw(
        isTensorFlow
          ? 'data.shape = [3,2] does not start with segment_ids.shape = [2]'
          : 'unsortedSegmentSum: segmentIds must have the leading shape of x, got [2] for [3,2]',
      );
    });
  });

  it('agrees between the backends in three dimensions', async () => {
    await expectSameAsCpu(() => tf.unsortedSegmentSum(floats([31, 5, 3], 1), ints([31], 7, 2) as tf.Tensor1D, 7));
  });

  it('agrees between the backends on rows of every size, with ids out of range and ids of several axes', async () => {
    for (const inner of [1, 2, 3, 4, 5, 7, 8, 31]) {
      const ids = (shape: number[]): tf.Tensor1D => tf.sub(ints(shape, 11, 2), tf.scalar(2, 'int32')) as tf.Tensor1D; // [-2, 8], of which [0, 6] count
      await expectSameAsCpu(() => tf.unsortedSegmentSum(floats([31, inner], 1), ids([31]), 7), 1e-6);
      await expectSameAsCpu(() => tf.unsortedSegmentSum(ints([31, inner], 100, 1), ids([31]), 7));
      await expectSameAsCpu(() => tf.unsortedSegmentSum(floats([5, 3, inner], 1), ids([5, 3]), 7), 1e-6);
    }
  });

  it('agrees between the backends without any ids, and without rows in range', async () => {
    for (const inner of [0, 1, 3, 4]) {
      await expectSameAsCpu(() => tf.unsortedSegmentSum(floats([0, inner], 1), tf.tensor1d([], 'int32'), 3));
      await expectSameAsCpu(() =>
        tf.unsortedSegmentSum(floats([5, inner], 1), tf.fill([5], 9, 'int32') as tf.Tensor1D, 3),
      );
    }
  });

  it('adds in place', () => {
    const out = new Float32Array(4);
    addRowsBySegment(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 9, 1], 2, out);
    expect(Array.from(out)).to.deep.equal([0, 0, 6, 8]);
  });
});
