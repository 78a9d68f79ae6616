import type * as tf from '@tensorflow/tfjs-core';
import { type DevicePenalty, KNOWN, negativeFunctions, NEGATIVES, penaltyFunctions } from './penalty';
import { ROW_LANES } from '../row_ranks';
import { runShader } from '../shader';
import { memoize, type ShaderProgram } from '../shader_program';
import type { WebGpuBackend } from '../webgpu_backend';

const studentProgram: ShaderProgram = {
  name: 'putStudentFactors',
  workgroupSize: 256,
  body: `
    let i = group * 256u + lane;
    if (i >= u.count) { return; }
    let row = u.num_final + i / u.size;
    let teacher = row % u.num_final;
    let own = u.num_final * u.size + i;
    let v = i % u.size;
    logits[own] = u.weight * (exp(logits[own] - normalisers[row]) - exp(logits[teacher * u.size + v] - normalisers[teacher]));`,
};

/**
 * Replaces the students' logits, rows P to (1 + S) P of a tile, by (p^l - p^L) * weight.
 *
 * @param normalisers log sum e^z of the final rows, then of the students.
 */
export function putStudentFactors(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  normalisers: tf.TensorInfo,
  numFinal: number,
  numStudents: number,
  size: number,
  weight: number,
): void {
  const count = numStudents * size;
  runShader(backend, studentProgram, {
    reads: { normalisers },
    writes: { logits },
    integers: { count, size, num_final: numFinal },
    floats: { weight },
    workgroups: Math.ceil(count / 256),
  });
}

/** What flows to the final layer's logits. */
export interface FinalFactors {
  /** The first row of z~ in the tile; null where nothing is penalised. */
  readonly firstEnsemble: number | null;
  /** Columns `KNOWN` and `NEGATIVES` of each response row. */
  readonly known: tf.TensorInfo;
  readonly found: tf.TensorInfo;
  readonly penalty: DevicePenalty;
  /** mu */
  readonly rewardWeight: number;
  /**
   * Tokens and shares r of each row, [P, C]; a token of -1 is none, and no row has a token twice, as its entries are
   * added at the same time. Null without a reward.
   */
  readonly soft: { readonly tokens: tf.TensorInfo; readonly shares: tf.TensorInfo } | null;
}

const finalProgram = memoize((isPenalised: boolean, isRewarded: boolean): ShaderProgram => {
  const raised = isPenalised
    ? 'raised_of(facts, scale, z, logits[(u.first_ensemble + group) * u.size + v], u.start + v)'
    : 'vec2f(z, 1.0)';
  const reward = `
    storageBarrier();
    for (var c = lane; c < u.per_row; c += ${ROW_LANES}u) {
      let v = soft_tokens[group * u.per_row + c] - i32(u.start);
      if (v >= 0 && v < i32(u.size)) { logits[group * u.size + u32(v)] -= u.reward_weight * shares[group * u.per_row + c] / f32(u.num_final); }
    }`;
  return {
    name: 'putFinalFactors',
    workgroupSize: ROW_LANES,
    declarations: negativeFunctions + penaltyFunctions,
    body: `
      if (group >= u.num_final) { return; }
      let facts = facts_of(group);
      let ensemble_mass = found[4u * group + ${NEGATIVES.ensembleMass}u];
      let scale = select(0.0, u.penalty_weight / ensemble_mass, ensemble_mass > 0.0);
      let penalised_normaliser = facts[${KNOWN.finalNormaliser}] + found[4u * group + ${NEGATIVES.logTotal}u];
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        let z = logits[group * u.size + v];
        let raised = ${raised};
        var factor = exp(raised.x - penalised_normaliser) * raised.y + u.reward_weight * exp(z - facts[${KNOWN.finalNormaliser}]);
        if (f32(u.start + v) == facts[${KNOWN.label}]) { factor -= 1.0; }
        logits[group * u.size + v] = factor / f32(u.num_final);
      }${isRewarded ? reward : ''}`,
  };
});

/** Replaces the final layer's logits, the first P rows of a tile, by (p' dz'/dz + mu p - 1 at the label - mu r) / P. */
export function putFinalFactors(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  numFinal: number,
  start: number,
  size: number,
  { firstEnsemble, known, found, penalty, rewardWeight, soft }: FinalFactors,
): void {
  runShader(backend, finalProgram(firstEnsemble !== null, soft !== null), {
    reads: { known, found, ...(soft === null ? {} : { soft_tokens: soft.tokens, shares: soft.shares }) },
    writes: { logits },
    integers: {
      start,
      size,
      kind: penalty.kind,
      num_final: numFinal,
      first_ensemble: firstEnsemble ?? 0,
      per_row: soft?.tokens.shape[1] ?? 0,
    },
    floats: { penalty_weight: penalty.weight, reward_weight: rewardWeight },
    workgroups: numFinal,
  });
}

const biasProgram: ShaderProgram = {
  name: 'putBiasGradient',
  workgroupSize: 64,
  body: `
    let v = group * 64u + lane;
    if (v >= u.size) { return; }
    var sum = 0.0;
    for (var r = 0u; r < u.num_rows; r++) { sum += factors[(u.first_row + r) * u.size + v]; }
    gradient[u.start + v] = sum;`,
};

/** What flows to the tile's biases: the sum of each column of the factors [R, size], put at its tokens. */
export function putBiasGradient(
  backend: WebGpuBackend,
  factors: tf.TensorInfo,
  firstRow: number,
  numRows: number,
  start: number,
  size: number,
  gradient: tf.TensorInfo,
): void {
  runShader(backend, biasProgram, {
    reads: { factors },
    writes: { gradient },
    integers: { first_row: firstRow, num_rows: numRows, start, size },
    workgroups: Math.ceil(size / 64),
  });
}
