import type * as tf from '@tensorflow/tfjs-core';
import { KNOWN, NEGATIVES, penaltyFunctions, type DevicePenalty } from './penalised';
import { ROW_LANES } from '../row_ranks';
import { runShader } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

/** Puts (p^l - p^L) * weight in the place of the students' logits, rows P to (1 + S) P of a tile. @param normalisers log sum e^z of them and of the final layer before them. */
export function studentFactors(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  normalisers: tf.TensorInfo,
  numFinal: number,
  numStudents: number,
  size: number,
  weight: number,
): void {
  const count = numStudents * size;
  runShader(backend, {
    name: 'ILRecStudentFactors',
    reads: { normalisers },
    writes: { logits },
    integers: { count, size, num_final: numFinal },
    floats: { weight },
    workgroupSize: 256,
    workgroups: Math.ceil(count / 256),
    body: `
      let at = group * 256u + lane;
      if (at >= u.count) { return; }
      let row = u.num_final + at / u.size;
      let teacher = row % u.num_final;
      let place = u.num_final * u.size + at;
      let v = at % u.size;
      logits[place] = u.weight * (exp(logits[place] - normalisers[row]) - exp(logits[teacher * u.size + v] - normalisers[teacher]));`,
  });
}

/** What flows to the final logits, beside what `known` and `found` say. */
export interface FinalFactors {
  /** Where the rows of z~ begin in the tile; null where nothing is penalised. */
  readonly firstEnsemble: number | null;
  readonly known: tf.TensorInfo;
  readonly found: tf.TensorInfo;
  readonly penalty: DevicePenalty;
  /** mu */
  readonly rewardWeight: number;
  /** Tokens and shares r of each row, [P, C]; a token of -1 is none. Null without a reward. */
  readonly soft: { readonly tokens: tf.TensorInfo; readonly shares: tf.TensorInfo } | null;
}

/** Puts (p' dz'/dz + mu p - 1 at the label - mu r) / P in the place of the final layer's logits, the first P rows of a tile. */
export function finalFactors(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  numFinal: number,
  start: number,
  size: number,
  { firstEnsemble, known, found, penalty, rewardWeight, soft }: FinalFactors,
): void {
  const penalised =
    firstEnsemble === null
      ? 'let raised = vec2f(z, 1.0);'
      : `
        var raised = vec2f(z, 1.0);
        let z_ensemble = logits[(u.first_ensemble + group) * u.size + v];
        if (is_negative(row, z_ensemble, u.start + v)) {
          let raise = scale * exp(z_ensemble - row[${KNOWN.ensembleNormaliser}]);
          let strength = strength_of(z);
          raised = vec2f(z + raise * strength.x, 1.0 + raise * strength.y);
        }`;
  const rewarded =
    soft === null
      ? ''
      : `
      storageBarrier();
      for (var c = lane; c < u.per_row; c += ${ROW_LANES}u) {
        let v = soft_tokens[group * u.per_row + c] - i32(u.start);
        if (v >= 0 && v < i32(u.size)) { logits[group * u.size + u32(v)] -= u.reward_weight * shares[group * u.per_row + c] / f32(u.num_final); }
      }`;
  runShader(backend, {
    name: `ILRecFinalFactors ${firstEnsemble !== null} ${soft !== null}`,
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
    workgroupSize: ROW_LANES,
    workgroups: numFinal,
    declarations: penaltyFunctions,
    body: `
      if (group >= u.num_final) { return; }
      let row = known_of(group);
      let ensemble_mass = found[4u * group + ${NEGATIVES.ensembleMass}u];
      let scale = select(0.0, u.penalty_weight / ensemble_mass, ensemble_mass > 0.0);
      let penalised = row[${KNOWN.normaliser}] + found[4u * group + ${NEGATIVES.logTotal}u];
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        let z = logits[group * u.size + v];${penalised}
        var factor = exp(raised.x - penalised) * raised.y + u.reward_weight * exp(z - row[${KNOWN.normaliser}]);
        if (f32(u.start + v) == row[${KNOWN.label}]) { factor -= 1.0; }
        logits[group * u.size + v] = factor / f32(u.num_final);
      }${rewarded}`,
  });
}

/** What flows to the tile's biases: the sum of each column of the factors [R, size], into their place. */
export function biasGradient(
  backend: WebGpuBackend,
  factors: tf.TensorInfo,
  firstRow: number,
  numRows: number,
  start: number,
  size: number,
  gradient: tf.TensorInfo,
): void {
  runShader(backend, {
    name: 'ILRecBiasGradient',
    reads: { factors },
    writes: { gradient },
    integers: { first_row: firstRow, num_rows: numRows, start, size },
    workgroupSize: 64,
    workgroups: Math.ceil(size / 64),
    body: `
      let v = group * 64u + lane;
      if (v >= u.size) { return; }
      var sum = 0.0;
      for (var r = 0u; r < u.num_rows; r++) { sum += factors[(u.first_row + r) * u.size + v]; }
      gradient[u.start + v] = sum;`,
  });
}
