import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { CandidateHead } from '../../src/vocabulary/candidate_cross_entropy';
import { candidateLogProbs, rowsPerBlock } from '../../src/vocabulary/candidate_log_probs';
import { itemCandidates, type ItemPosition } from '../../src/vocabulary/item_candidates';
import { forEachDevice } from '../support/backends';
import { itemSoftmaxReference, measureCandidates } from '../support/item_softmax_reference';
import { integers, normals } from '../support/random';
import { maxDifference } from '../support/reference';

const [N, D, P] = [23, 5, 263];
const drawn = integers(4 * P, N, 5);
/** One or two targets, of which the second may be seen. */
const positions: ItemPosition[] = Array.from({ length: P }, (_, p) => {
  const [a, b, c, d] = drawn.subarray(4 * p, 4 * p + 4);
  return { items: a === b ? [a] : [a, b], shares: a === b ? [1] : [0.3, 0.7], seen: [b, c, d] };
});
const inputs = {
  hidden: normals(P * D, 1),
  weight: normals(N * D, 2),
  bias: normals(N, 3),
  repeatBias: [0.7],
};

/** The cross-entropy of the targets, from their log-probabilities. */
const lossOf: Parameters<typeof measureCandidates>[3] = (hidden, head, candidates) => {
  const shape: [number, number] = [candidates.numPositions, candidates.numOwn];
  const logProbs = candidateLogProbs(hidden, head, candidates, tf.tensor2d(candidates.own, shape, 'int32'));
  return tf.neg(tf.mean<tf.Scalar>(tf.sum(tf.mul(logProbs, tf.tensor2d(candidates.targets, shape)), 1)));
};

describe('candidateLogProbs', () => {
  forEachDevice(() => {
    it('equals float64 over several blocks of positions, values and gradients', async () => {
      expect(rowsPerBlock(N)).to.be.below(P);
      for (const [excludeSeen, hasRepeatBias] of [
        [false, false],
        [true, false],
        [false, true],
      ]) {
        const rule = { excludeSeen, hasRepeatBias, sample: null };
        const { loss, gradients } = itemSoftmaxReference(inputs, positions, rule);
        const measured = await measureCandidates(inputs, positions, rule, lossOf);
        expect(measured.value).to.be.closeTo(loss, 1e-5);
        measured.gradients.forEach((gradient, i) =>
          expect(maxDifference(gradient, gradients[i]), ['hidden', 'weight', 'bias', 'repeat bias'][i]).to.be.below(
            2e-6,
          ),
        );
      }
    });

    it('leaves no tensor behind', async () => {
      const { candidates } = itemCandidates(positions, N, { excludeSeen: true, hasRepeatBias: false, sample: null });
      const hidden = tf.tensor2d(inputs.hidden, [P, D]);
      const head: CandidateHead = {
        weight: tf.tensor2d(inputs.weight, [N, D]),
        bias: tf.tensor1d(inputs.bias),
        repeatBias: null,
      };
      const before = tf.memory().numTensors;
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => lossOf(x as tf.Tensor2D, head, candidates))(hidden);
      expect(tf.memory().numTensors).to.equal(before + 2);
      tf.dispose([value, grad, hidden, head.weight, head.bias]);
    });
  });

  it('holds 16 MiB of scores at once, and at least one position', () => {
    expect(rowsPerBlock(100_000)).to.equal(41); // 41 x 100,000 x 4 bytes
    expect(rowsPerBlock(10_000_000)).to.equal(1);
  });
});
