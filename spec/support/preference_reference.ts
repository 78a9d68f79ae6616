import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { repository } from './installed_package';
import { logSumExp, mean, toRows } from './reference';

/** A preference loss in float64, of log-probabilities [Q * G] row by row. */
export type PreferenceReference = (policy: ArrayLike<number>, reference: ArrayLike<number>) => number;

const logSigmoid = (x: number): number => -logSumExp([0, -x]);

/** beta (d(y+) - d(y_j-)) of each group. */
function margins(policy: ArrayLike<number>, reference: ArrayLike<number>, groupSize: number, beta: number): number[][] {
  const ratios = toRows(
    Array.from(policy, (value, i) => value - reference[i]),
    groupSize,
  );
  return ratios.map(([chosen, ...rejected]) => rejected.map((ratio) => beta * (chosen - ratio)));
}

export function dpoReference(groupSize: number, beta: number): PreferenceReference {
  return (policy, reference) =>
    mean(margins(policy, reference, groupSize, beta).flatMap((pairs) => pairs.map((margin) => -logSigmoid(margin))));
}

export function sDpoReference(groupSize: number, beta: number): PreferenceReference {
  return (policy, reference) =>
    mean(
      margins(policy, reference, groupSize, beta).map((pairs) => -logSigmoid(-logSumExp(pairs.map((value) => -value)))),
    );
}

/** @param doubt e of each pair. */
export function rosePoReference(groupSize: number, beta: number, doubt: ArrayLike<number>): PreferenceReference {
  return (policy, reference) =>
    mean(
      margins(policy, reference, groupSize, beta)
        .flat()
        .map((margin, pair) => -(1 - doubt[pair]) * logSigmoid(margin) - doubt[pair] * logSigmoid(-margin)),
    );
}

/** The sampled loss whose gradient GRPO has: exp(lp - old) in place of exp(lp - stopgrad lp). */
export function grpoReference(
  policy: ArrayLike<number>,
  old: ArrayLike<number>,
  reference: ArrayLike<number>,
  mask: ArrayLike<number>,
  advantages: ArrayLike<number>,
  klWeight: number,
): number {
  const numTokens = policy.length / advantages.length;
  return mean(
    Array.from(advantages, (advantage, i) => {
      let [sum, count] = [0, 0];
      for (let at = i * numTokens; at < (i + 1) * numTokens; at++) {
        const difference = reference[at] - policy[at];
        const kl = Math.exp(difference) - difference - 1;
        sum += mask[at] * (klWeight * kl - Math.exp(policy[at] - old[at]) * advantage);
        count += mask[at];
      }
      return sum / Math.max(1, count);
    }),
  );
}

/**
 * The advantages of groups by the reward for the target and, with `ranks`, the punishment of misses, [Q * G].
 *
 * @param hits whether each response of a group is the target, best first.
 */
export function groupAdvantagesReference(hits: readonly (readonly boolean[])[], ranks: boolean): number[] {
  const weights = hits[0].map((_, rank) => 1 / Math.log2(rank + 2));
  const total = weights.reduce((sum, weight) => sum + weight);
  return hits.flatMap((group) => {
    const holds = group.includes(true);
    const rewards = group.map((hit, rank) => (hit ? 1 : holds && ranks ? -weights[rank] / total : 0));
    const centred = rewards.map((reward) => reward - mean(rewards));
    const deviation = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0) / (group.length - 1));
    return centred.map((value) => value / (deviation + 1e-4));
  });
}

/** Value and gradient of a loss by its first matrix, [rows, columns]. */
export function lossAndGradient(
  loss: (policy: tf.Tensor2D) => tf.Scalar,
  policy: ArrayLike<number>,
  columns: number,
): { value: number; gradient: Float32Array } {
  const given = tf.tensor2d(Float32Array.from(policy), [policy.length / columns, columns]);
  const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => loss(x as tf.Tensor2D))(given);
  const found = { value: value.dataSync()[0], gradient: grad.dataSync<'float32'>() };
  tf.dispose([given, value, grad]);
  return found;
}

/** Log-probabilities and what TRL or PyTorch makes of them; see spec/golden/make_preference.py. */
export interface GoldenPreference {
  readonly shape: readonly [number, number];
  readonly beta: number;
  readonly policy: readonly number[];
  readonly reference: readonly number[];
  readonly loss: number;
  readonly gradient: readonly number[];
}

/** Logits [P, V] with the tokens that are allowed, and what PyTorch makes of them. */
export interface GoldenRestricted {
  readonly shape: readonly [number, number];
  readonly temperature: number;
  readonly logits: readonly number[];
  readonly labels: readonly number[];
  readonly allowed: readonly number[];
  readonly reward: readonly number[];
  readonly loss: number;
  readonly gradient: readonly number[];
}

interface GoldenFile {
  readonly dpo: GoldenPreference;
  readonly sDpo: GoldenPreference;
  readonly rosePo: GoldenPreference & { readonly doubt: number };
  readonly grpo: Omit<GoldenPreference, 'beta'> & {
    readonly klWeight: number;
    readonly mask: readonly number[];
    readonly advantages: readonly number[];
  };
  readonly advantages: {
    readonly shape: readonly [number, number];
    readonly rewards: readonly number[];
    readonly advantages: readonly number[];
  };
  readonly msl: GoldenRestricted;
  readonly tca4rec: GoldenRestricted & { readonly collaborativeWeight: number };
}

export function readGoldenPreference(): GoldenFile {
  return JSON.parse(
    readFileSync(join(repository, 'spec', 'golden', 'preference', 'golden.json'), 'utf8'),
  ) as GoldenFile;
}
