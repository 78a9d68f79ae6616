import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy } from '../../src/losses';
import { candidateCrossEntropy } from '../../src/vocabulary/candidate_cross_entropy';
import {
  itemCandidates,
  type ItemPosition,
  type ItemSoftmaxRule,
  sampleItems,
} from '../../src/vocabulary/item_candidates';
import { forEachDevice } from '../support/backends';
import {
  type ItemInputs,
  itemSoftmaxReference,
  itemSoftmaxRules,
  measureCandidates,
} from '../support/item_softmax_reference';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, mean } from '../support/reference';

const [N, D] = [23, 5];
const sample = Int32Array.of(4, 17, 0, 9, 12, 21, 3);
/** Targets of one item and of several, drawn, seen, both and neither; a target without a share; nothing seen. */
const positions: readonly ItemPosition[] = [
  { items: [2], shares: [1], seen: [] },
  { items: [4], shares: [1], seen: [7, 9] }, // drawn
  { items: [7, 4, 11], shares: [0.5, 0.3, 0.2], seen: [7, 7, 12, 22] }, // the label is seen
  { items: [1, 2], shares: [1, 0], seen: [2, 17, 1, 0] },
  { items: [21, 3, 0, 12], shares: [0.1, 0.2, 0.3, 0.4], seen: [9, 21] },
];
const inputs = (P: number, seed: number): ItemInputs => ({
  hidden: normals(P * D, seed),
  weight: normals(N * D, seed + 1),
  bias: normals(N, seed + 2),
  repeatBias: [0.7],
});
const plain: ItemSoftmaxRule = { excludeSeen: false, hasRepeatBias: false, sample: null };
const lossOf: Parameters<typeof measureCandidates>[3] = (...args) => candidateCrossEntropy(...args).loss;

/** The loss of one position whose scores are 0, but for a repeat bias of ln 3. */
async function lossOfZeros(position: ItemPosition, rule: Partial<ItemSoftmaxRule>): Promise<number> {
  const zeros = { hidden: [0], weight: [0, 0, 0, 0], bias: [0, 0, 0, 0], repeatBias: [Math.log(3)] };
  return (await measureCandidates(zeros, [position], { ...plain, ...rule }, lossOf)).value;
}

async function expectReference(
  given: ItemInputs,
  all: readonly ItemPosition[],
  rule: ItemSoftmaxRule,
  precision = 2e-6,
): Promise<void> {
  const { loss, gradients } = itemSoftmaxReference(given, all, rule);
  const measured = await measureCandidates(given, all, rule, lossOf);
  expect(measured.value).to.be.closeTo(loss, 1e-5);
  measured.gradients.forEach((gradient, i) =>
    expect(maxDifference(gradient, gradients[i]), ['hidden', 'weight', 'bias', 'repeat bias'][i]).to.be.below(
      precision,
    ),
  );
}

describe('candidateCrossEntropy', () => {
  forEachDevice(() => {
    it('is ln of the number of candidates where all scores are equal; a drawn item counts for N / M', async () => {
      // 4 items, 2 and 3 drawn: each counts for two. A target counts once, drawn or not.
      const two = Int32Array.of(2, 3);
      const cases: [ItemPosition, Partial<ItemSoftmaxRule>, number][] = [
        [{ items: [0], shares: [1], seen: [3] }, {}, Math.log(4)],
        [{ items: [0], shares: [1], seen: [3] }, { excludeSeen: true }, Math.log(3)],
        [{ items: [3], shares: [1], seen: [3] }, { excludeSeen: true }, Math.log(4)],
        [{ items: [0], shares: [1], seen: [] }, { sample: two }, Math.log(1 + 2 + 2)],
        [{ items: [2], shares: [1], seen: [] }, { sample: two }, Math.log(1 + 2)],
        [{ items: [2, 3], shares: [0.5, 0.5], seen: [] }, { sample: two }, Math.log(2)],
        [{ items: [0], shares: [1], seen: [3] }, { sample: two, excludeSeen: true }, Math.log(1 + 2)],
        [{ items: [0], shares: [1], seen: [1] }, { hasRepeatBias: true }, Math.log(1 + 3 + 1 + 1)],
        [{ items: [1], shares: [1], seen: [1] }, { hasRepeatBias: true }, Math.log(6) - Math.log(3)],
        [{ items: [0], shares: [1], seen: [3] }, { sample: two, hasRepeatBias: true }, Math.log(1 + 2 + 3)],
      ];
      for (const [position, rule, expected] of cases)
        expect(await lossOfZeros(position, rule), JSON.stringify([position, rule])).to.be.closeTo(expected, 1e-6);
    });

    it('equals crossEntropy of the logits where every item counts and a position has one target', async () => {
      const single = integers(7, N, 5);
      const all = Array.from(single, (item) => ({ items: [item], shares: [1], seen: [] }));
      const given = inputs(7, 11);
      const own = await measureCandidates(given, all, plain, lossOf);
      const dense = await measureCandidates(given, all, plain, (hidden, { weight, bias }) =>
        crossEntropy(tf.add(tf.matMul(hidden, weight, false, true), bias), tf.tensor1d(single, 'int32')),
      );
      expect(own.value).to.be.closeTo(dense.value, 1e-6);
      own.gradients.forEach((gradient, i) => expect(maxDifference(gradient, dense.gradients[i])).to.be.below(1e-6));
    });

    for (const [words, rule] of itemSoftmaxRules(sample)) {
      it(`equals float64, values and gradients (${words})`, () => expectReference(inputs(5, 21), positions, rule));
    }

    it('equals float64 over several tiles of positions', async () => {
      const P = 523; // two tiles of 256 and a rest
      const [items, seen] = [integers(2 * P, N, 31), integers(3 * P, N, 33)];
      const all = Array.from({ length: P }, (_, p) => {
        const targets = [...new Set(items.slice(2 * p, 2 * p + 2))];
        const shares = targets.length === 1 ? [1] : [0.75, 0.25];
        return { items: targets, shares, seen: p % 3 === 0 ? [] : [...seen.slice(3 * p, 3 * p + 3)] };
      });
      for (const drawn of [null, sample])
        await expectReference(inputs(P, 37), all, { excludeSeen: drawn !== null, hasRepeatBias: true, sample: drawn });
    });

    it('tells the cross-entropy of each target, the label first', async () => {
      for (const [words, rule] of itemSoftmaxRules(sample)) {
        const given = inputs(5, 41);
        const { items, candidates } = itemCandidates(positions, N, rule);
        const { ofTargets } = itemSoftmaxReference(given, positions, rule);
        const { loss, ofOwn } = tf.tidy(() => {
          const rows = tf.tensor1d(items ?? Int32Array.from({ length: N }, (_, item) => item), 'int32');
          const head = {
            weight: tf.gather(tf.tensor2d(Float32Array.from(given.weight), [N, D]), rows),
            bias: tf.gather(tf.tensor1d(Float32Array.from(given.bias)), rows),
            repeatBias: rule.hasRepeatBias ? tf.tensor1d([0.7]) : null,
          };
          const found = candidateCrossEntropy(tf.tensor2d(Float32Array.from(given.hidden), [5, D]), head, candidates);
          return { ...found };
        });
        const values = await ofOwn.data();
        ofTargets.forEach((each, p) =>
          each.forEach((value, k) =>
            expect(values[p * candidates.numOwn + k], `${words}: ${p}, ${k}`).to.be.closeTo(value, 1e-5),
          ),
        );
        tf.dispose([loss, ofOwn]);
      }
    });

    it('does not depend on the order of positions, targets, items seen and drawn items', async () => {
      const given = inputs(5, 51);
      const hidden = Array.from({ length: 5 }, (_, p) =>
        Array.from(given.hidden).slice((4 - p) * D, (5 - p) * D),
      ).flat();
      const reversed = positions
        .map(({ items, shares, seen }) => ({
          items: [...items].reverse(),
          shares: [...shares].reverse(),
          seen: [...seen].reverse(),
        }))
        .reverse();
      for (const [words, rule] of itemSoftmaxRules(sample)) {
        const other = { ...rule, sample: rule.sample === null ? null : Int32Array.from(rule.sample).reverse() };
        const [one, turned] = [
          await measureCandidates(given, positions, rule, lossOf),
          await measureCandidates({ ...given, hidden }, reversed, other, lossOf),
        ];
        expect(turned.value, words).to.be.closeTo(one.value, 1e-6);
        for (const i of [1, 2, 3])
          expect(maxDifference(turned.gradients[i], one.gradients[i]), words).to.be.below(1e-6);
      }
    });

    it('has the gradients of central differences', async () => {
      const given = inputs(5, 61);
      for (const [words, rule] of itemSoftmaxRules(sample)) {
        const { gradients } = await measureCandidates(given, positions, rule, lossOf);
        for (const [i, name] of (['hidden', 'weight', 'bias', 'repeatBias'] as const).entries()) {
          const value = (x: ArrayLike<number>): number =>
            itemSoftmaxReference({ ...given, [name]: x }, positions, rule).loss;
          expect(maxDifference(gradients[i], centralDifferences(value, given[name])), `${words}: ${name}`).to.be.below(
            2e-6,
          );
        }
      }
    });

    it('scales its gradients with the gradient that comes in', async () => {
      const rule = { excludeSeen: false, hasRepeatBias: true, sample };
      const [one, three] = [
        await measureCandidates(inputs(5, 71), positions, rule, lossOf),
        await measureCandidates(inputs(5, 71), positions, rule, (...args) => tf.mul(lossOf(...args), 3)),
      ];
      three.gradients.forEach((gradient, i) =>
        expect(
          maxDifference(
            gradient,
            one.gradients[i].map((value) => 3 * value),
          ),
        ).to.be.below(1e-6),
      );
    });

    it('stays exact where the target is all but impossible, and next to items left out', async () => {
      // Scores are 200, -200 and 0: the loss of item 1 is 400, all probability is at item 0.
      const given = { hidden: [1], weight: [200, -200, 0], bias: [0, 0, 0], repeatBias: [0] };
      const position = { items: [1], shares: [1], seen: [2] };
      for (const rule of [
        { ...plain, excludeSeen: true },
        { ...plain, excludeSeen: true, sample: Int32Array.of(0, 2, 1) },
      ]) {
        const { value, gradients } = await measureCandidates(given, [position], rule, lossOf);
        expect(value).to.be.closeTo(400, 1e-3);
        expect([...gradients[1]]).to.deep.equal([1, -1, 0]);
        expect(gradients[0][0]).to.equal(400);
      }
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      for (const [, rule] of itemSoftmaxRules(sample)) await measureCandidates(inputs(5, 81), positions, rule, lossOf);
      expect(tf.memory().numTensors).to.equal(before);
      const head = { weight: tf.ones([3, 2]) as tf.Tensor2D, bias: tf.zeros([3]) as tf.Tensor1D, repeatBias: null };
      const hidden = tf.ones([1, 2]) as tf.Tensor2D;
      const { candidates } = itemCandidates([{ items: [0], shares: [1], seen: [] }], 3, plain);
      const { loss, ofOwn } = candidateCrossEntropy(hidden, head, candidates);
      expect(tf.memory().numTensors).to.equal(before + 5);
      tf.dispose([head.weight, head.bias, hidden, loss, ofOwn]);
    });
  });

  it('estimates, with a sample, the sum over all items: e^loss is unbiased for one target', async () => {
    // e^loss is 1 + sum over the other items of e^(z_i - z_y), a drawn item counting N / M
    await tf.setBackend('cpu');
    const given = { ...inputs(1, 91), hidden: normals(D, 91, 0.3) };
    const position = { items: [2], shares: [1], seen: [] };
    const whole = Math.exp((await measureCandidates(given, [position], plain, lossOf)).value);
    const estimates: number[] = [];
    for (let step = 0; step < 400; step++) {
      const drawn = sampleItems(N, 7, 5, step);
      estimates.push(Math.exp((await measureCandidates(given, [position], { ...plain, sample: drawn }, lossOf)).value));
    }
    const average = mean(estimates);
    const deviation = Math.sqrt(mean(estimates.map((value) => (value - average) ** 2)) / estimates.length);
    expect(Math.abs(average - whole)).to.be.below(3 * deviation);
    expect(deviation / whole).to.be.below(0.03);
  });
});
