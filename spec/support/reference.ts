import type { IlrecObjectiveOptions, Penalty, ThresholdReference } from '../../src/losses';

/** A matrix in float64, row by row. */
export type Rows = number[][];

export type ReferenceOptions = Omit<IlrecObjectiveOptions, 'distillationTokens' | 'itemTokens'>;

/** ILRec's objective, dense, in float64 and plain loops: what every fast path is held against. */
export interface ReferenceTerms {
  total: number;
  crossEntropy: number;
  cpo: number;
  cpd: number;
  crr: number;
  numNegatives: number;
  penaltyMass: number;
}

function largest(z: readonly number[]): number {
  return z.reduce((most, value) => Math.max(most, value), -Infinity); // a vocabulary is too many arguments
}

export function softmax(z: readonly number[]): number[] {
  const max = largest(z);
  const exponentials = z.map((value) => Math.exp(value - max));
  const total = exponentials.reduce((a, b) => a + b);
  return exponentials.map((value) => value / total);
}

export function logSumExp(z: readonly number[]): number {
  const max = largest(z);
  return max + Math.log(z.reduce((sum, value) => sum + Math.exp(value - max), 0));
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b) / values.length;
}

/** Membership and weights of the negatives of one row. */
export function negativesOf(
  ensemble: readonly number[],
  final: readonly number[],
  label: number,
  phi: number,
  reference: ThresholdReference,
): { members: boolean[]; weights: number[] } {
  const p = softmax(ensemble);
  const tau = phi * softmax(reference === 'final' ? final : ensemble)[label];
  const members = p.map((value, v) => v !== label && value >= tau);
  const total = p.reduce((sum, value, v) => sum + (members[v] ? value : 0), 0);
  return { members, weights: p.map((value, v) => (members[v] && total > 0 ? value / total : 0)) };
}

export function crossEntropyOf(z: readonly number[], label: number): number {
  return logSumExp(z) - z[label];
}

export function preferenceOf(
  z: readonly number[],
  label: number,
  weights: readonly number[],
  alpha: number,
  penalty: Penalty,
): number {
  const strength = { scale: Math.abs, paper: (value: number) => value, additive: () => 1 }[penalty];
  return logSumExp(z.map((value, v) => value + alpha * weights[v] * strength(value))) - z[label];
}

export function klOf(teacher: readonly number[], student: readonly number[]): number {
  const p = softmax(teacher);
  return p.reduce(
    (sum, value, v) => sum + value * (teacher[v] - logSumExp(teacher) - student[v] + logSumExp(student)),
    0,
  );
}

export function rewardOf(
  z: readonly number[],
  label: number,
  members: readonly boolean[],
  mass: readonly number[],
): number {
  const kept = mass.map((value, v) => (members[v] || v === label ? value : 0));
  const total = kept.reduce((a, b) => a + b);
  const soft = kept.map((value, v) => (total > 0 ? value / total : Number(v === label)));
  return soft.reduce((sum, value, v) => sum + value * (logSumExp(z) - z[v]), 0);
}

/**
 * The whole objective.
 *
 * @param final z^L [P, V]. @param intermediate z^l per layer of S, [S][P, V]. @param frozen logits that negatives,
 *   threshold, weights and teacher are taken from (what `stopGradient` means for central differences); the same values
 *   as `final` and `intermediate` by default.
 */
export function referenceObjective(
  final: Rows,
  intermediate: readonly Rows[],
  labels: ArrayLike<number>,
  reward: Rows | null,
  options: ReferenceOptions,
  frozen: { final: Rows; intermediate: readonly Rows[] } = { final, intermediate },
): ReferenceTerms {
  const { penaltyWeight, penalty, thresholdScale, thresholdReference, distillationWeight, rewardWeight } = options;
  const { rewardTargets = 'negatives' } = options;
  const rows = final.map((z, t) => {
    const label = labels[t];
    const none = { members: z.map(() => false), weights: z.map(() => 0) };
    const ensemble = z.map((_, v) => mean(frozen.intermediate.map((layer) => layer[t][v])));
    const { members, weights } =
      intermediate.length === 0
        ? none
        : negativesOf(ensemble, frozen.final[t], label, thresholdScale, thresholdReference);
    const p = softmax(z);
    return {
      crossEntropy: crossEntropyOf(z, label),
      cpo: preferenceOf(z, label, weights, penaltyWeight, penalty),
      cpd: mean(intermediate.map((layer) => klOf(frozen.final[t], layer[t]))),
      crr:
        reward === null
          ? 0
          : rewardOf(z, label, rewardTargets === 'all' ? z.map((_, v) => v !== label) : members, reward[t]),
      numNegatives: members.filter(Boolean).length,
      penaltyMass: p.reduce((sum, value, v) => sum + (members[v] ? value : 0), 0),
    };
  });
  const average = (name: keyof (typeof rows)[number]): number => mean(rows.map((row) => row[name]));
  const [cpo, cpd, crr] = [average('cpo'), average('cpd'), average('crr')];
  return {
    total: cpo + distillationWeight * cpd + rewardWeight * crr,
    crossEntropy: average('crossEntropy'),
    cpo,
    cpd,
    crr,
    numNegatives: average('numNegatives'),
    penaltyMass: average('penaltyMass'),
  };
}

/** Central differences of a scalar function of a flat vector, in float64. */
export function centralDifferences(f: (x: Float64Array) => number, at: ArrayLike<number>, step = 1e-5): Float64Array {
  const x = Float64Array.from(at);
  return Float64Array.from(x, (value, i) => {
    x[i] = value + step;
    const above = f(x);
    x[i] = value - step;
    const below = f(x);
    x[i] = value;
    return (above - below) / (2 * step);
  });
}

export function toRows(flat: ArrayLike<number>, columns: number): Rows {
  return Array.from({ length: flat.length / columns }, (_, r) =>
    Array.from({ length: columns }, (__, c) => flat[r * columns + c]),
  );
}

/** Largest absolute difference. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`maxDifference: lengths must agree, got ${a.length} and ${b.length}`);
  return Array.from(a).reduce((worst, value, i) => {
    const difference = Math.abs(value - b[i]);
    return Number.isNaN(difference) ? NaN : Math.max(worst, difference);
  }, 0);
}
