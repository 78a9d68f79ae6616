import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { softCrossEntropy } from '../../src/ops/soft_cross_entropy';
import { candidateCrossEntropy } from '../../src/vocabulary/candidate_cross_entropy';
import { atCandidates, candidateLogits, labelColumns } from '../../src/vocabulary/candidate_logits';
import { itemCandidates, type ItemPosition, type ItemSoftmaxRule } from '../../src/vocabulary/item_candidates';
import { forEachDevice } from '../support/backends';
import {
  type ItemInputs,
  itemSoftmaxReference,
  itemSoftmaxRules,
  measureCandidates,
} from '../support/item_softmax_reference';
import { normals } from '../support/random';
import { maxDifference } from '../support/reference';

const [N, D, P] = [19, 3, 5];
const sample = Int32Array.of(4, 17, 0, 9, 12);
const positions: readonly ItemPosition[] = [
  { items: [2], shares: [1], seen: [] },
  { items: [4], shares: [1], seen: [7, 9] },
  { items: [7, 4, 11], shares: [0.5, 0.3, 0.2], seen: [7, 7, 12, 18] },
  { items: [1, 2], shares: [1, 0], seen: [2, 17, 1, 0] },
  { items: [16, 3, 0, 12], shares: [0.1, 0.2, 0.3, 0.4], seen: [9, 16] },
];
const inputs = (seed: number, layers = 1): ItemInputs => ({
  hidden: normals(layers * P * D, seed),
  weight: normals(N * D, seed + 1),
  bias: normals(N, seed + 2),
  repeatBias: [-0.7],
});
type Loss = Parameters<typeof measureCandidates>[3];
/** Cross-entropy of the targets, over logits. */
const overLogits: Loss = (hidden, head, candidates) => {
  const targets = tf.tensor2d(candidates.targets, [P, candidates.numOwn]);
  return tf.mean(softCrossEntropy(candidateLogits(hidden, head, candidates), atCandidates(targets, candidates)));
};

describe('candidateLogits', () => {
  forEachDevice(() => {
    it('scores the own candidates of a sample, then the drawn items, N / M of which each stands for', async () => {
      // h = 2, W = (1, 2, 3, 4), b = (0, 0.5, 0, 0): z = (2, 4.5, 6, 8). Drawn are 3 and 1: ln(4 / 2) is added.
      const { items, candidates } = itemCandidates(
        [
          { items: [0], shares: [1], seen: [3] },
          { items: [1, 2], shares: [0.5, 0.5], seen: [] },
        ],
        4,
        { excludeSeen: false, hasRepeatBias: true, sample: Int32Array.of(3, 1) },
      );
      expect([...(items as Int32Array)]).to.deep.equal([3, 1, 0, 2]);
      const [logits, labels] = tf.tidy(() => [
        candidateLogits(
          tf.tensor2d([2, 2], [2, 1]),
          {
            weight: tf.tensor2d([4, 2, 1, 3], [4, 1]),
            bias: tf.tensor1d([0, 0.5, 0, 0]),
            repeatBias: tf.tensor1d([10]),
          },
          candidates,
        ),
        labelColumns(candidates),
      ]);
      const out = -1e9;
      const expected = [
        [2, 18, out, 4.5 + Math.log(2)], // 3 is seen: a candidate of its own, so that it is exact
        [4.5, 6, 8 + Math.log(2), out],
      ];
      const values = await logits.data();
      expected.flat().forEach((value, i) => {
        if (value === out) expect(values[i]).to.be.below(-9e8);
        else expect(values[i]).to.be.closeTo(value, 1e-5);
      });
      expect(logits.shape).to.deep.equal([2, 4]);
      expect([...(await labels.data())]).to.deep.equal([0, 0]);
      tf.dispose([logits, labels]);
    });

    for (const [words, rule] of itemSoftmaxRules(sample)) {
      it(`makes the loss and gradients of candidateCrossEntropy (${words})`, async () => {
        const given = inputs(3);
        const [dense, own] = [
          await measureCandidates(given, positions, rule, overLogits),
          await measureCandidates(given, positions, rule, (...args) => candidateCrossEntropy(...args).loss),
        ];
        expect(dense.value).to.be.closeTo(own.value, 1e-5);
        expect(dense.value).to.be.closeTo(itemSoftmaxReference(given, positions, rule).loss, 1e-5);
        dense.gradients.forEach((gradient, i) => expect(maxDifference(gradient, own.gradients[i])).to.be.below(2e-6));
      });
    }

    it('scores the positions of several layers at once as each layer alone, with the gradients of all', async () => {
      for (const [words, rule] of itemSoftmaxRules(sample)) {
        const layers = 3;
        const given = inputs(5, layers);
        const weighted = (hidden: tf.Tensor2D, of: number, ...rest: Rest): tf.Scalar => {
          const probabilities = tf.softmax(candidateLogits(hidden, ...rest));
          const [rows, columns] = probabilities.shape;
          const factors = normals(layers * P * columns, 7).slice(of * P * columns, (of * P + rows) * columns);
          return tf.sum(tf.mul(probabilities, tf.tensor2d(factors, [rows, columns])));
        };
        const [atOnce, each] = [
          await measureCandidates(given, positions, rule, (hidden, ...rest) => weighted(hidden, 0, ...rest)),
          await measureCandidates(given, positions, rule, (hidden, ...rest) =>
            tf.addN([0, 1, 2].map((layer) => weighted(tf.slice(hidden, [layer * P, 0], [P, D]), layer, ...rest))),
          ),
        ];
        expect(atOnce.value, words).to.be.closeTo(each.value, 1e-5);
        atOnce.gradients.forEach((gradient, i) =>
          expect(maxDifference(gradient, each.gradients[i]), words).to.be.below(1e-5),
        );
      }
    });

    it('places labels and values of the targets at their columns', async () => {
      const rule: ItemSoftmaxRule = { excludeSeen: true, hasRepeatBias: false, sample: null };
      const { candidates } = itemCandidates(positions, N, rule);
      const values = Float32Array.from({ length: P * candidates.numOwn }, (_, i) =>
        candidates.ownMarks[i] === 2 ? 0 : i + 1,
      );
      const [placed, labels] = tf.tidy(() => [
        atCandidates(tf.tensor2d(values, [P, candidates.numOwn]), candidates),
        labelColumns(candidates),
      ]);
      const expected = positions.map(({ items }, p) =>
        Array.from({ length: N }, (_, item) => (items.includes(item) ? values[p * 4 + items.indexOf(item)] : 0)),
      );
      expect([...(await placed.data())]).to.deep.equal(expected.flat());
      expect([...(await labels.data())]).to.deep.equal(positions.map(({ items }) => items[0]));
      tf.dispose([placed, labels]);
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      for (const [, rule] of itemSoftmaxRules(sample)) await measureCandidates(inputs(9), positions, rule, overLogits);
      const head = { weight: tf.ones([3, 2]) as tf.Tensor2D, bias: tf.zeros([3]) as tf.Tensor1D, repeatBias: null };
      const hidden = tf.ones([1, 2]) as tf.Tensor2D;
      const { candidates } = itemCandidates([{ items: [0], shares: [1], seen: [] }], 3, {
        excludeSeen: false,
        hasRepeatBias: false,
        sample: Int32Array.of(1, 2, 0),
      });
      const logits = candidateLogits(hidden, head, candidates);
      expect(tf.memory().numTensors).to.equal(before + 4);
      tf.dispose([head.weight, head.bias, hidden, logits]);
    });
  });
});

type Rest = [Parameters<Loss>[1], Parameters<Loss>[2]];
