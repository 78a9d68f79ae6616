import { expect } from 'chai';
import * as tf from '@tensorflow/tfjs-core';
import {
  ilrecObjective,
  type IlrecObjectiveOptions,
  type IlrecTerms,
  streamingObjective,
  type VocabularyProjection,
} from '../../src/losses';
import type { RewardEntries } from '../../src/losses/reward';
import { integers, normals } from './random';
import { maxDifference } from './reference';

/** What the objective gets, as plain numbers. */
export interface StreamingCase {
  readonly numRows: number;
  readonly hiddenSize: number;
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

/** @param scale of the hidden states. */
export function streamingCase(
  seed: number,
  vocabSize = 23,
  { layers = 3, bias = true, scale = 1, P = 5, D = 7 } = {},
): StreamingCase {
  return {
    numRows: P,
    hiddenSize: D,
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

/**
 * A case whose logits are whole numbers, so that many tokens have exactly the label's: they meet the threshold of phi 1
 * without passing it. The mean of the two layers is exact too.
 */
export function tiedCase(seed: number, vocabSize: number, { P = 5, D = 7 } = {}): StreamingCase {
  const numbers = (size: number, n: number, offset: number): Float32Array =>
    Float32Array.from(integers(size, n, seed + offset), (value) => value - Math.floor(n / 2));
  return {
    ...streamingCase(seed, vocabSize, { layers: 2, bias: false, P, D }),
    final: numbers(P * D, 3, 11),
    intermediate: numbers(2 * P * D, 3, 12).map((value) => 2 * value),
    weight: numbers(vocabSize * D, 2, 13),
  };
}

export type Numbers = Record<Exclude<keyof IlrecTerms, 'klPerLayer'>, number> & { klPerLayer: number[] };

export interface Measured {
  readonly terms: Numbers;
  /** Of final and intermediate hidden states, weight (in rows) and bias. */
  readonly gradients: Float32Array[];
}

export function entriesOf({ reward, vocabSize }: StreamingCase): RewardEntries {
  const places = [...reward.keys()].filter((i) => reward[i] > 0);
  return {
    rows: Int32Array.from(places, (i) => Math.floor(i / vocabSize)),
    tokens: Int32Array.from(places, (i) => i % vocabSize),
    masses: tf.tensor1d(Float32Array.from(places, (i) => reward[i])),
  };
}

export async function measure(
  c: StreamingCase,
  options: IlrecObjectiveOptions,
  how: 'streaming' | 'dense',
  layout: VocabularyProjection['layout'] = 'rows',
): Promise<Measured> {
  const { layers, vocabSize, numRows: P, hiddenSize: D } = c;
  const usesLayers =
    layers > 0 && (options.penaltyWeight !== 0 || options.distillationWeight !== 0 || options.rewardWeight !== 0);
  const hasReward = options.rewardWeight !== 0;
  const measured = tf.tidy(() => {
    let terms = {} as Record<string, tf.Tensor>;
    const f = (final: tf.Tensor, intermediate: tf.Tensor, rows: tf.Tensor, bias: tf.Tensor): tf.Scalar => {
      const weight = (layout === 'rows' ? rows : tf.transpose(rows)) as tf.Tensor2D;
      let found: IlrecTerms;
      if (how === 'streaming') {
        const head: VocabularyProjection = { weight, layout, bias: c.bias === null ? null : (bias as tf.Tensor1D) };
        found = streamingObjective(
          {
            finalHidden: final as tf.Tensor2D,
            intermediateHidden: usesLayers ? (intermediate as tf.Tensor2D) : null,
            head,
            labels: c.labels,
            reward: hasReward ? entriesOf(c) : null,
          },
          options,
        );
      } else {
        const labels = tf.tensor1d(c.labels, 'int32');
        const logits = (hidden: tf.Tensor): tf.Tensor2D =>
          tf.add(tf.matMul(hidden, rows, false, true), c.bias === null ? 0 : bias) as tf.Tensor2D;
        const all = usesLayers ? logits(intermediate) : null;
        const ensemble = all === null ? null : tf.mean<tf.Tensor2D>(tf.reshape(all, [layers, P, vocabSize]), 0);
        found = ilrecObjective(
          {
            finalLogits: logits(final),
            ensembleLogits: ensemble,
            intermediateLogits: options.distillationWeight === 0 ? null : all,
            labels,
            reward: hasReward ? tf.tensor2d(c.reward, [P, vocabSize]) : null,
          },
          options,
        );
      }
      terms = Object.fromEntries(
        Object.entries(found).map(([name, value]) => [name, tf.keep(tf.clone(value as tf.Tensor))]),
      );
      return tf.add(found.total, tf.mul(tf.add(tf.sum(intermediate), tf.sum(bias)), 0)) as tf.Scalar;
    };
    const inputs = [
      tf.tensor2d(c.final, [P, D]),
      tf.tensor2d(c.intermediate, [Math.max(1, layers) * P, D]),
      tf.tensor2d(c.weight, [vocabSize, D]),
      tf.tensor1d(c.bias ?? new Float32Array(vocabSize)),
    ];
    return {
      gradients: tf.grads(f as (...xs: tf.Tensor[]) => tf.Tensor)(inputs),
      terms,
    } as unknown as tf.TensorContainer;
  }) as unknown as { gradients: tf.Tensor[]; terms: Record<string, tf.Tensor> };
  const terms = await Promise.all(
    Object.entries(measured.terms).map(async ([name, value]) => [
      name,
      name === 'klPerLayer' ? [...(await value.data())] : (await value.data())[0],
    ]),
  );
  const gradients = await Promise.all(measured.gradients.map((gradient) => gradient.data<'float32'>()));
  tf.dispose([measured.gradients, measured.terms]);
  return { terms: Object.fromEntries(terms) as Numbers, gradients };
}

/** The dense objective, on webgpu computed by the cpu backend. */
export async function measureDense(c: StreamingCase, options: IlrecObjectiveOptions): Promise<Measured> {
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

export async function expectDense(
  c: StreamingCase,
  options: IlrecObjectiveOptions,
  layout?: VocabularyProjection['layout'],
): Promise<void> {
  const [got, wanted] = [await measure(c, options, 'streaming', layout), await measureDense(c, options)];
  for (const name of Object.keys(wanted.terms) as (keyof Numbers)[]) {
    const pairs =
      name === 'klPerLayer'
        ? wanted.terms.klPerLayer.map((value, i) => [got.terms.klPerLayer[i], value])
        : [[got.terms[name], wanted.terms[name]]];
    for (const [value, expected] of pairs)
      expect(value, name).to.be.closeTo(expected, 2e-5 * Math.max(1, Math.abs(expected)));
    expect(got.terms.klPerLayer.length).to.equal(wanted.terms.klPerLayer.length);
  }
  for (const [i, name] of ['final hidden states', 'intermediate hidden states', 'weight', 'bias'].entries()) {
    expect(relative(got.gradients[i], wanted.gradients[i]), `gradient to ${name}`).to.be.below(2e-5);
  }
}
