import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import { ilrecObjective, type IlrecObjectiveOptions, type IlrecTerms, streamingObjective, type VocabularyProjection } from '../../src/losses';
import type { RewardEntries } from '../../src/types';
import { forEachDevice } from '../support/backends';
import { integers, normals } from '../support/random';
import { centralDifferences, maxDifference, referenceObjective, type Rows, toRows } from '../support/reference';

const [P, D] = [5, 7];
const base: IlrecObjectiveOptions = { penaltyWeight: 0.7, penalty: 'scale', thresholdScale: 1, thresholdReference: 'final', distillationWeight: 0.3, rewardWeight: 0.5 };

interface Case {
  readonly vocabSize: number;
  readonly layers: number;
  readonly final: Float32Array;
  readonly intermediate: Float32Array;
  /** [V, D] */
  readonly weight: Float32Array;
  readonly bias: Float32Array | null;
  readonly labels: Int32Array;
  /** [P, V] */
  readonly reward: Float32Array;
}

function randomCase(seed: number, vocabSize = 23, { layers = 3, bias = true, scale = 1 } = {}): Case {
  return {
    vocabSize,
    layers,
    final: normals(P * D, seed, scale),
    intermediate: normals(Math.max(1, layers) * P * D, seed + 1, scale),
    weight: normals(vocabSize * D, seed + 2),
    bias: bias ? normals(vocabSize, seed + 3) : null,
    labels: integers(P, vocabSize, seed + 4),
    reward: normals(P * vocabSize, seed + 5).map((value, i) => (i % 3 === 0 ? Math.abs(value) : 0)),
  };
}

type Numbers = Record<Exclude<keyof IlrecTerms, 'klPerLayer'>, number> & { klPerLayer: number[] };

interface Measured {
  readonly terms: Numbers;
  /** Of final and intermediate hidden states, weight (in rows) and bias. */
  readonly gradients: Float32Array[];
}

function entriesOf({ reward, vocabSize }: Case): RewardEntries {
  const places = [...reward.keys()].filter((i) => reward[i] > 0);
  return { rows: Int32Array.from(places, (i) => Math.floor(i / vocabSize)), tokens: Int32Array.from(places, (i) => i % vocabSize), masses: tf.tensor1d(Float32Array.from(places, (i) => reward[i])) };
}

async function measure(c: Case, options: IlrecObjectiveOptions, how: 'streaming' | 'dense', layout: VocabularyProjection['layout'] = 'rows'): Promise<Measured> {
  const { layers, vocabSize } = c;
  const usesLayers = layers > 0 && (options.penaltyWeight !== 0 || options.distillationWeight !== 0 || options.rewardWeight !== 0);
  const hasReward = options.rewardWeight !== 0;
  const measured = tf.tidy(() => {
    let terms = {} as Record<string, tf.Tensor>;
    const f = (final: tf.Tensor, intermediate: tf.Tensor, rows: tf.Tensor, bias: tf.Tensor): tf.Scalar => {
      const weight = (layout === 'rows' ? rows : tf.transpose(rows)) as tf.Tensor2D;
      let found: IlrecTerms;
      if (how === 'streaming') {
        const head: VocabularyProjection = { weight, layout, bias: c.bias === null ? null : (bias as tf.Tensor1D) };
        found = streamingObjective({ finalHidden: final as tf.Tensor2D, intermediateHidden: usesLayers ? (intermediate as tf.Tensor2D) : null, head, labels: c.labels, reward: hasReward ? entriesOf(c) : null }, options);
      } else {
        const labels = tf.tensor1d(c.labels, 'int32');
        const logits = (hidden: tf.Tensor): tf.Tensor2D => tf.add(tf.matMul(hidden, rows, false, true), c.bias === null ? 0 : bias) as tf.Tensor2D;
        const all = usesLayers ? logits(intermediate) : null;
        const ensemble = all === null ? null : tf.mean<tf.Tensor2D>(tf.reshape(all, [layers, P, vocabSize]), 0);
        found = ilrecObjective({ finalLogits: logits(final), ensembleLogits: ensemble, intermediateLogits: options.distillationWeight === 0 ? null : all, labels, reward: hasReward ? tf.tensor2d(c.reward, [P, vocabSize]) : null }, options);
      }
      terms = Object.fromEntries(Object.entries(found).map(([name, value]) => [name, tf.keep(tf.clone(value as tf.Tensor))]));
      return tf.add(found.total, tf.mul(tf.add(tf.sum(intermediate), tf.sum(bias)), 0)) as tf.Scalar;
    };
    const inputs = [tf.tensor2d(c.final, [P, D]), tf.tensor2d(c.intermediate, [Math.max(1, layers) * P, D]), tf.tensor2d(c.weight, [vocabSize, D]), tf.tensor1d(c.bias ?? new Float32Array(vocabSize))];
    return { gradients: tf.grads(f as (...xs: tf.Tensor[]) => tf.Tensor)(inputs), terms } as unknown as tf.TensorContainer;
  }) as unknown as { gradients: tf.Tensor[]; terms: Record<string, tf.Tensor> };
  const terms = await Promise.all(Object.entries(measured.terms).map(async ([name, value]) => [name, name === 'klPerLayer' ? [...(await value.data())] : (await value.data())[0]]));
  const gradients = await Promise.all(measured.gradients.map((gradient) => gradient.data<'float32'>()));
  tf.dispose([measured.gradients, measured.terms]);
  return { terms: Object.fromEntries(terms) as Numbers, gradients };
}

/** The dense objective, on webgpu computed by the cpu backend. */
async function dense(c: Case, options: IlrecObjectiveOptions): Promise<Measured> {
  const backend = tf.getBackend();
  if (backend === 'webgpu') await tf.setBackend('cpu');
  const measured = await measure(c, options, 'dense');
  await tf.setBackend(backend);
  return measured;
}

/** Largest difference over the largest value. */
function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return maxDifference(a, b) / Array.from(b).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
}

async function expectDense(c: Case, options: IlrecObjectiveOptions, layout?: VocabularyProjection['layout']): Promise<void> {
  const [got, wanted] = [await measure(c, options, 'streaming', layout), await dense(c, options)];
  for (const name of Object.keys(wanted.terms) as (keyof Numbers)[]) {
    const pairs = name === 'klPerLayer' ? wanted.terms.klPerLayer.map((value, i) => [got.terms.klPerLayer[i], value]) : [[got.terms[name], wanted.terms[name]]];
    for (const [value, expected] of pairs) expect(value, name).to.be.closeTo(expected, 2e-5 * Math.max(1, Math.abs(expected)));
    expect(got.terms.klPerLayer.length).to.equal(wanted.terms.klPerLayer.length);
  }
  for (const [i, name] of ['final hidden states', 'intermediate hidden states', 'weight', 'bias'].entries()) {
    expect(relative(got.gradients[i], wanted.gradients[i]), `gradient to ${name}`).to.be.below(2e-5);
  }
}

describe('streamingObjective', () => {
  forEachDevice(() => {
    for (const penalty of ['scale', 'paper', 'additive'] as const) {
      it(`equals the dense objective, values and all gradients (${penalty})`, async () => {
        for (const thresholdReference of ['final', 'ensemble'] as const) {
          for (const thresholdScale of [0.2, 1, 3]) await expectDense(randomCase(11), { ...base, penalty, thresholdReference, thresholdScale });
        }
      });
    }

    it('has the gradients of central differences of the float64 reference', async () => {
      const c = randomCase(17);
      const { vocabSize, layers } = c;
      const logits = (hidden: ArrayLike<number>): Rows => toRows(hidden, D).map((h) => Array.from({ length: vocabSize }, (_, v) => h.reduce((sum, value, d) => sum + value * c.weight[v * D + d], c.bias?.[v] ?? 0)));
      const intermediate = (hidden: ArrayLike<number>): Rows[] => Array.from({ length: layers }, (_, l) => logits(Array.from(hidden).slice(l * P * D, (l + 1) * P * D)));
      const frozen = { final: logits(c.final), intermediate: intermediate(c.intermediate) };
      const total = (final: ArrayLike<number>, others: ArrayLike<number>): number => referenceObjective(logits(final), intermediate(others), c.labels, toRows(c.reward, vocabSize), base, frozen).total;
      const { terms, gradients } = await measure(c, base, 'streaming');
      expect(terms.total).to.be.closeTo(total(c.final, c.intermediate), 1e-5);
      expect(maxDifference(gradients[0], centralDifferences((x) => total(x, c.intermediate), c.final))).to.be.below(1e-5);
      expect(maxDifference(gradients[1], centralDifferences((x) => total(c.final, x), c.intermediate))).to.be.below(1e-5);
    });

    it('equals the dense objective over many tiles, with negatives in the buffer and beyond it', async () => {
      const c = randomCase(23, 60_013); // several tiles: the logits of its 20 rows are more than are made at once
      for (const thresholdScale of [0.3, 300]) await expectDense(c, { ...base, thresholdScale });
    });

    it('reads a head in columns', () => expectDense(randomCase(31), base, 'columns'));

    it('compares layers on a slice of the vocabulary', async () => {
      await expectDense(randomCase(37), { ...base, itemTokens: [3, 5, 17, 2] });
      await expectDense(randomCase(37), { ...base, itemTokens: [3, 5, 17, 2] }, 'columns');
    });

    it('works with any of the terms off, without a bias, and without intermediate layers', async () => {
      for (const off of [{ penaltyWeight: 0 }, { distillationWeight: 0 }, { rewardWeight: 0 }, { penaltyWeight: 0, distillationWeight: 0, rewardWeight: 0 }]) {
        await expectDense(randomCase(41, 29, { bias: false }), { ...base, ...off });
      }
      await expectDense(randomCase(43, 29, { layers: 0 }), { ...base, distillationWeight: 0, rewardWeight: 0 });
      await expectDense(randomCase(47, 29, { layers: 1 }), base);
    });

    it('stays finite on extreme logits', async () => {
      for (const scale of [30, 150]) {
        const { terms, gradients } = await measure(randomCase(53, 31, { scale }), base, 'streaming');
        expect([...Object.values(terms).flat(), ...gradients.flatMap((gradient) => [...gradient])].every(Number.isFinite)).to.equal(true);
      }
    });

    it('gives values alone outside of a gradient', async () => {
      const c = randomCase(59);
      const head: VocabularyProjection = { weight: tf.tensor2d(c.weight, [c.vocabSize, D]), layout: 'rows', bias: null };
      const inputs = { finalHidden: tf.tensor2d(c.final, [P, D]), intermediateHidden: tf.tensor2d(c.intermediate, [3 * P, D]), head, labels: c.labels, reward: entriesOf(c) };
      const alone = streamingObjective(inputs, base);
      const { terms } = await measure({ ...c, bias: null }, base, 'streaming');
      expect((await alone.total.data())[0]).to.be.closeTo(terms.total, 1e-6);
      tf.dispose([alone as unknown as tf.TensorContainer, inputs.finalHidden, inputs.intermediateHidden, inputs.reward.masses, head.weight]);
    });

    it('makes no gradient of a frozen head', async () => {
      const c = randomCase(61, 23, { bias: false });
      const frozen = tf.variable(tf.tensor2d(c.weight, [c.vocabSize, D]), false);
      const head: VocabularyProjection = { weight: frozen as unknown as tf.Tensor2D, layout: 'rows', bias: null };
      const final = tf.variable(tf.tensor2d(c.final, [P, D]));
      const { value, grads } = tf.variableGrads(() => streamingObjective({ finalHidden: final as unknown as tf.Tensor2D, intermediateHidden: null, head, labels: c.labels, reward: null }, { ...base, distillationWeight: 0, rewardWeight: 0 }).total);
      expect(Object.keys(grads)).to.deep.equal([final.name]);
      tf.dispose([value, grads]);
      for (const variable of [frozen, final]) variable.dispose();
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      await measure(randomCase(67), base, 'streaming');
      await measure(randomCase(67, 1511), { ...base, thresholdScale: 0.3 }, 'streaming');
      expect(tf.memory().numTensors).to.equal(before);
    });
  });
});
