import type * as tf from '@tensorflow/tfjs-core';
import { type DevicePenalty, KNOWN, negativeFunctions, NEGATIVES, penaltyFunctions } from './penalty';
import type { ListedRows } from './tile';
import { ROW_LANES } from '../row_ranks';
import { rowReductions } from '../row_reductions';
import { runShader } from '../shader';
import { memoize, type ShaderProgram } from '../shader_program';
import { hasSubgroups } from '../subgroups';
import type { WebGpuBackend } from '../webgpu_backend';

const countProgram = memoize((subgroups: boolean): ShaderProgram => {
  const { enable, declarations } = rowReductions(ROW_LANES, subgroups);
  return {
    name: 'countNegatives',
    enable,
    workgroupSize: ROW_LANES,
    declarations: declarations + negativeFunctions,
    body: `
      let count = u32(list[0]);
      if (group >= count) { return; }
      let row = u32(list[1u + group]);
      let facts = facts_of(row);
      var number = 0.0; var final_mass = 0.0; var ensemble_mass = 0.0;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        let ensemble_logit = logits[(count + group) * u.size + v];
        if (is_negative(facts, ensemble_logit, u.start + v)) {
          number += 1.0;
          final_mass += exp(logits[group * u.size + v] - facts[${KNOWN.finalNormaliser}]);
          ensemble_mass += exp(ensemble_logit - facts[${KNOWN.ensembleNormaliser}]);
        }
      }
      number = sum_of(lane, number);
      final_mass = sum_of(lane, final_mass);
      ensemble_mass = sum_of(lane, ensemble_mass);
      if (lane == 0u) {
        found[4u * row + ${NEGATIVES.number}u] += number;
        found[4u * row + ${NEGATIVES.finalMass}u] += final_mass;
        found[4u * row + ${NEGATIVES.ensembleMass}u] += ensemble_mass;
      }`,
  };
});

/**
 * Adds the tile's negatives of the listed rows to `found` [P, 4]: their number and masses.
 * @param logits z^L of the listed rows, then z~ of them.
 */
export function countNegatives(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  { list, numRows }: ListedRows,
  start: number,
  size: number,
  known: tf.TensorInfo,
  found: tf.TensorInfo,
): void {
  runShader(backend, countProgram(hasSubgroups(backend.device)), {
    reads: { logits, list, known },
    writes: { found },
    integers: { start, size },
    workgroups: numRows,
  });
}

const penaliseProgram = memoize((subgroups: boolean): ShaderProgram => {
  const { enable, declarations } = rowReductions(ROW_LANES, subgroups);
  return {
    name: 'penaliseTile',
    enable,
    workgroupSize: ROW_LANES,
    declarations: declarations + negativeFunctions + penaltyFunctions,
    body: `
      let count = u32(list[0]);
      if (group >= count) { return; }
      let row = u32(list[1u + group]);
      let facts = facts_of(row);
      let ensemble_mass = found[4u * row + ${NEGATIVES.ensembleMass}u];
      let scale = select(0.0, u.penalty_weight / ensemble_mass, ensemble_mass > 0.0);
      let first_final = group * u.size;
      let first_ensemble = (count + group) * u.size;
      var before = LOWEST; // read and written by the first invocation alone
      if (lane == 0u && u.is_first == 0u) { before = softmax[3u * group]; }
      var most = before;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        most = max(most, raised_of(facts, scale, logits[first_final + v], logits[first_ensemble + v], u.start + v).x);
      }
      most = largest_of(lane, most);
      var sum = 0.0;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        let raised = raised_of(facts, scale, logits[first_final + v], logits[first_ensemble + v], u.start + v);
        let exponential = exp(raised.x - most);
        sum += exponential;
        logits[first_final + v] = exponential * raised.y;
      }
      sum = sum_of(lane, sum);
      if (lane == 0u) {
        let factor = select(exp(before - most), 0.0, u.is_first == 1u);
        if (u.is_first == 0u) { sum += softmax[3u * group + 1u] * factor; }
        softmax[3u * group] = most;
        softmax[3u * group + 1u] = sum;
        softmax[3u * group + 2u] = factor;
      }`,
  };
});

/**
 * Replaces z^L by e^(z' - m') dz'/dz, and adds e^z' to the running softmax of z' [P, 3], whose rows are in the order of
 * the list.
 *
 * @param found [P, 4], with the ensemble mass of all negatives of each row.
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
  runShader(backend, penaliseProgram(hasSubgroups(backend.device)), {
    reads: { list, known, found },
    writes: { logits, softmax },
    integers: { start, size, kind: penalty.kind, is_first: isFirst ? 1 : 0 },
    floats: { penalty_weight: penalty.weight },
    workgroups: numRows,
  });
}
