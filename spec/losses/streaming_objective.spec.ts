import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { type IlrecObjectiveOptions, streamingObjective, type VocabularyProjection } from '../../src/losses';
import { forEachDevice } from '../support/backends';
import { centralDifferences, maxDifference, referenceObjective, type Rows, toRows } from '../support/reference';
import { entriesOf, expectDense, measure, streamingCase, tiedCase } from '../support/streaming_case';

const [P, D] = [5, 7];
const base: IlrecObjectiveOptions = {
  penaltyWeight: 0.7,
  penalty: 'scale',
  thresholdScale: 1,
  thresholdReference: 'final',
  distillationWeight: 0.3,
  rewardWeight: 0.5,
};

describe('streamingObjective', () => {
  forEachDevice((backend) => {
    for (const penalty of ['scale', 'paper', 'additive'] as const) {
      it(`equals the dense objective, values and all gradients (${penalty})`, async () => {
        for (const thresholdReference of ['final', 'ensemble'] as const) {
          for (const thresholdScale of [0.2, 1, 3])
            await expectDense(streamingCase(11), { ...base, penalty, thresholdReference, thresholdScale });
        }
      });
    }

    it('has the gradients of central differences of the float64 reference', async () => {
      const c = streamingCase(17);
      const { vocabSize, layers } = c;
      const logits = (hidden: ArrayLike<number>): Rows =>
        toRows(hidden, D).map((h) =>
          Array.from({ length: vocabSize }, (_, v) =>
            h.reduce((sum, value, d) => sum + value * c.weight[v * D + d], c.bias?.[v] ?? 0),
          ),
        );
      const intermediate = (hidden: ArrayLike<number>): Rows[] =>
        Array.from({ length: layers }, (_, l) => logits(Array.from(hidden).slice(l * P * D, (l + 1) * P * D)));
      const frozen = { final: logits(c.final), intermediate: intermediate(c.intermediate) };
      const total = (final: ArrayLike<number>, others: ArrayLike<number>): number =>
        referenceObjective(logits(final), intermediate(others), c.labels, toRows(c.reward, vocabSize), base, frozen)
          .total;
      const { terms, gradients } = await measure(c, base, 'streaming');
      expect(terms.total).to.be.closeTo(total(c.final, c.intermediate), 1e-5);
      expect(
        maxDifference(
          gradients[0],
          centralDifferences((x) => total(x, c.intermediate), c.final),
        ),
      ).to.be.below(1e-5);
      expect(
        maxDifference(
          gradients[1],
          centralDifferences((x) => total(c.final, x), c.intermediate),
        ),
      ).to.be.below(1e-5);
    });

    it('equals the dense objective over many tiles, with negatives in the buffer and beyond it @slow', async () => {
      const c = streamingCase(23, backend === 'webgpu' ? 4001 : 60_013); // several tiles: the logits of its 20 rows are more than are made at once; those of webgpu are in findOnDevice's spec
      for (const thresholdScale of [0.3, 300]) await expectDense(c, { ...base, thresholdScale });
    });

    it('takes a token that meets the threshold exactly, in the buffer and beyond it', async () => {
      for (const vocabSize of [29, 1511]) {
        const c = tiedCase(29, vocabSize);
        const z = (hidden: Float32Array, row: number, token: number): number =>
          Array.from({ length: D }, (_, d) => hidden[row * D + d] * c.weight[token * D + d]).reduce((a, b) => a + b);
        const ensemble = (p: number, v: number): number => (z(c.intermediate, p, v) + z(c.intermediate, P + p, v)) / 2;
        const count = (passes: (difference: number) => boolean): number =>
          [...c.labels].reduce((sum, label, p) => {
            const all = Array.from({ length: vocabSize }, (_, v) => ensemble(p, v) - ensemble(p, label));
            return sum + all.filter((difference, v) => v !== label && passes(difference)).length;
          }, 0) / P;
        for (const penaltyWeight of [0.01, 7]) {
          // tau is p~ of the label; `paper`, as |z| has no derivative at the logits that are 0
          const options = { ...base, penaltyWeight, penalty: 'paper', thresholdReference: 'ensemble' } as const;
          await expectDense(c, options);
          const { terms } = await measure(c, options, 'streaming');
          expect(terms.numNegatives).to.be.closeTo(
            count((difference) => difference >= 0),
            1e-4,
          );
          expect(terms.numNegatives).to.be.above(count((difference) => difference > 0));
        }
      }
    });

    it('reads a head in columns', () => expectDense(streamingCase(31), base, 'columns'));

    it('compares layers on a slice of the vocabulary', async () => {
      await expectDense(streamingCase(37), { ...base, distillationTokens: [3, 5, 17, 2] });
      await expectDense(streamingCase(37), { ...base, distillationTokens: [3, 5, 17, 2] }, 'columns');
    });

    it('works with any of the terms off, without a bias, and without intermediate layers', async () => {
      for (const off of [
        { penaltyWeight: 0 },
        { distillationWeight: 0 },
        { rewardWeight: 0 },
        { penaltyWeight: 0, distillationWeight: 0, rewardWeight: 0 },
      ]) {
        await expectDense(streamingCase(41, 29, { bias: false }), { ...base, ...off });
      }
      await expectDense(streamingCase(43, 29, { layers: 0 }), { ...base, distillationWeight: 0, rewardWeight: 0 });
      await expectDense(streamingCase(47, 29, { layers: 1 }), base);
    });

    it('stays finite on extreme logits', async () => {
      for (const scale of [30, 150]) {
        const { terms, gradients } = await measure(streamingCase(53, 31, { scale }), base, 'streaming');
        expect(
          [...Object.values(terms).flat(), ...gradients.flatMap((gradient) => [...gradient])].every(Number.isFinite),
        ).to.equal(true);
      }
    });

    it('gives values alone outside of a gradient', async () => {
      const c = streamingCase(59);
      const head: VocabularyProjection = {
        weight: tf.tensor2d(c.weight, [c.vocabSize, D]),
        layout: 'rows',
        bias: null,
      };
      const inputs = {
        finalHidden: tf.tensor2d(c.final, [P, D]),
        intermediateHidden: tf.tensor2d(c.intermediate, [3 * P, D]),
        head,
        labels: c.labels,
        reward: entriesOf(c),
      };
      const alone = streamingObjective(inputs, base);
      const { terms } = await measure({ ...c, bias: null }, base, 'streaming');
      expect((await alone.total.data())[0]).to.be.closeTo(terms.total, 1e-6);
      tf.dispose([
        alone as unknown as tf.TensorContainer,
        inputs.finalHidden,
        inputs.intermediateHidden,
        inputs.reward.masses,
        head.weight,
      ]);
    });

    it('makes no gradient of a frozen head', async () => {
      const c = streamingCase(61, 23, { bias: false });
      const frozen = tf.variable(tf.tensor2d(c.weight, [c.vocabSize, D]), false);
      const head: VocabularyProjection = { weight: frozen as unknown as tf.Tensor2D, layout: 'rows', bias: null };
      const final = tf.variable(tf.tensor2d(c.final, [P, D]));
      const { value, grads } = tf.variableGrads(
        () =>
          streamingObjective(
            {
              finalHidden: final as unknown as tf.Tensor2D,
              intermediateHidden: null,
              head,
              labels: c.labels,
              reward: null,
            },
            { ...base, distillationWeight: 0, rewardWeight: 0 },
          ).total,
      );
      expect(Object.keys(grads)).to.deep.equal([final.name]);
      tf.dispose([value, grads]);
      for (const variable of [frozen, final]) variable.dispose();
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      await measure(streamingCase(67), base, 'streaming');
      await measure(streamingCase(67, 1511), { ...base, thresholdScale: 0.3 }, 'streaming');
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
