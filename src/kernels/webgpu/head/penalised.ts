import type * as tf from '@tensorflow/tfjs-core';
import type { ListedRows } from './tile';
import { ROW_LANES } from '../row_ranks';
import { rowReductions } from '../row_reductions';
import { runShader } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

/** The columns of what is known of each response row, [P, 4]. */
export const KNOWN = { normaliser: 0, ensembleNormaliser: 1, threshold: 2, label: 3 } as const;

/** The columns of what a reading finds of its negatives, [P, 4]. */
export const NEGATIVES = { number: 0, mass: 1, ensembleMass: 2, logTotal: 3 } as const;

/** `known` of a row, whether a token is a negative, and s and ds / dz of the penalty: 0 `scale`, 1 `paper`, 2 `additive`. */
export const penaltyFunctions = `
fn known_of(row: u32) -> vec4f { return vec4f(known[4u * row], known[4u * row + 1u], known[4u * row + 2u], known[4u * row + 3u]); }
fn is_negative(row: vec4f, z_ensemble: f32, token: u32) -> bool { return z_ensemble >= row[${KNOWN.threshold}] && f32(token) != row[${KNOWN.label}]; }
fn strength_of(z: f32) -> vec2f {
  if (u.kind == 0u) { return vec2f(abs(z), sign(z)); }
  if (u.kind == 1u) { return vec2f(z, 1.0); }
  return vec2f(1.0, 0.0);
}
`;

/** Adds the tile's negatives of the listed rows to `found` [P, 4]: their number, mass and ensemble mass. @param logits z^L and then z~ of the listed rows. */
export function countNegatives(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  { list, numRows }: ListedRows,
  start: number,
  size: number,
  known: tf.TensorInfo,
  found: tf.TensorInfo,
): void {
  runShader(backend, {
    name: 'ILRecHeadNegatives',
    reads: { logits, list, known },
    writes: { found },
    integers: { start, size, kind: 0, num_rows: numRows },
    workgroupSize: ROW_LANES,
    workgroups: numRows,
    enable: rowReductions(backend.device, ROW_LANES).enable,
    declarations: `${rowReductions(backend.device, ROW_LANES).declarations}${penaltyFunctions}`,
    body: `
      let count = u32(list[0]);
      if (group >= count) { return; }
      let place = u32(list[1u + group]);
      let row = known_of(place);
      var number = 0.0; var mass = 0.0; var ensemble_mass = 0.0;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        let z_ensemble = logits[(count + group) * u.size + v];
        if (is_negative(row, z_ensemble, u.start + v)) {
          number += 1.0;
          mass += exp(logits[group * u.size + v] - row[${KNOWN.normaliser}]);
          ensemble_mass += exp(z_ensemble - row[${KNOWN.ensembleNormaliser}]);
        }
      }
      number = sum_of(lane, number);
      mass = sum_of(lane, mass);
      ensemble_mass = sum_of(lane, ensemble_mass);
      if (lane == 0u) {
        found[4u * place + ${NEGATIVES.number}u] += number;
        found[4u * place + ${NEGATIVES.mass}u] += mass;
        found[4u * place + ${NEGATIVES.ensembleMass}u] += ensemble_mass;
      }`,
  });
}

export interface DevicePenalty {
  /** alpha */
  readonly weight: number;
  /** 0 `scale`, 1 `paper`, 2 `additive`. */
  readonly kind: number;
}

/**
 * Puts e^(z' - m') dz'/dz in the place of z^L, and adds e^z' to the softmax of z' [P, 3] by their order in the list.
 *
 * @param found of each row, [P, 4], with the ensemble mass of all of its negatives.
 */
export function penaliseTile(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  { list, numRows }: ListedRows,
  start: number,
  size: number,
  known: tf.TensorInfo,
  found: tf.TensorInfo,
  softmax: tf.TensorInfo,
  penalty: DevicePenalty,
  isFirst: boolean,
): void {
  runShader(backend, {
    name: 'ILRecHeadPenalise',
    reads: { list, known, found },
    writes: { logits, softmax },
    integers: { start, size, kind: penalty.kind, num_rows: numRows, is_first: isFirst ? 1 : 0 },
    floats: { penalty_weight: penalty.weight },
    workgroupSize: ROW_LANES,
    workgroups: numRows,
    enable: rowReductions(backend.device, ROW_LANES).enable,
    declarations: `${rowReductions(backend.device, ROW_LANES).declarations}${penaltyFunctions}
      // z' and dz' / dz
      fn raised_at(row: vec4f, scale: f32, z: f32, z_ensemble: f32, token: u32) -> vec2f {
        if (!is_negative(row, z_ensemble, token)) { return vec2f(z, 1.0); }
        let raise = scale * exp(z_ensemble - row[${KNOWN.ensembleNormaliser}]);
        let strength = strength_of(z);
        return vec2f(z + raise * strength.x, 1.0 + raise * strength.y);
      }`,
    body: `
      let count = u32(list[0]);
      if (group >= count) { return; }
      let place = u32(list[1u + group]);
      let row = known_of(place);
      let ensemble_mass = found[4u * place + ${NEGATIVES.ensembleMass}u];
      let scale = select(0.0, u.penalty_weight / ensemble_mass, ensemble_mass > 0.0);
      let own = group * u.size;
      let other = (count + group) * u.size;
      var before = LOWEST; // read and written by the first invocation alone
      if (lane == 0u && u.is_first == 0u) { before = softmax[3u * group]; }
      var most = before;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) { most = max(most, raised_at(row, scale, logits[own + v], logits[other + v], u.start + v).x); }
      most = largest_of(lane, most);
      var sum = 0.0;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        let raised = raised_at(row, scale, logits[own + v], logits[other + v], u.start + v);
        let exponential = exp(raised.x - most);
        sum += exponential;
        logits[own + v] = exponential * raised.y;
      }
      sum = sum_of(lane, sum);
      if (lane == 0u) {
        let factor = select(exp(before - most), 0.0, u.is_first == 1u);
        if (u.is_first == 0u) { sum += softmax[3u * group + 1u] * factor; }
        softmax[3u * group] = most;
        softmax[3u * group + 1u] = sum;
        softmax[3u * group + 2u] = factor;
      }`,
  });
}
