import type * as tf from '@tensorflow/tfjs-core';
import { ensembleIntegers, ensembleLogit, type LogitRows } from './softmax';
import { fillTensor } from '../large_elementwise';
import { ROW_LANES, rowRanks } from '../row_ranks';
import { LOWEST, rowReductions } from '../row_reductions';
import { makeOutput, runShader } from '../shader';
import { memoize, type ShaderProgram } from '../shader_program';
import { hasSubgroups } from '../subgroups';
import type { WebGpuBackend } from '../webgpu_backend';

/**
 * The tokens of each response row that may be negatives, with their logits, [P, C] each; z~ of an unused place is below
 * every logit.
 */
export interface DeviceCandidates {
  readonly tokens: tf.TensorInfo;
  readonly ensembleLogits: tf.TensorInfo;
  readonly finalLogits: tf.TensorInfo;
  /**
   * Of each row, how many there are and the cutoff of z~ above which they are complete, [P, 2]; above every logit where
   * they did not fit.
   */
  readonly progress: tf.TensorInfo;
}

export interface CandidateRule {
  /** log phi - margin. */
  readonly logScale: number;
  readonly usesEnsemble: boolean;
  /** Labels, z^L and z~ of them, [P, 3]. */
  readonly labels: tf.TensorInfo;
}

export function emptyCandidates(backend: WebGpuBackend, numRows: number, capacity: number): DeviceCandidates {
  const shape = [numRows, capacity];
  const tokens = makeOutput(backend, shape, 'int32');
  const ensembleLogits = makeOutput(backend, shape);
  const finalLogits = makeOutput(backend, shape);
  const progress = makeOutput(backend, [numRows, 2]);
  fillTensor(backend, tokens, 0);
  fillTensor(backend, ensembleLogits, LOWEST);
  fillTensor(backend, finalLogits, 0);
  fillTensor(backend, progress, 0, LOWEST);
  return { tokens, ensembleLogits, finalLogits, progress };
}

const collectProgram = memoize((subgroups: boolean): ShaderProgram => {
  const { enable, declarations } = rowReductions(ROW_LANES, subgroups);
  return {
    name: 'collectCandidates',
    enable,
    workgroupSize: ROW_LANES,
    declarations: `${declarations}${rowRanks}${ensembleLogit}
      var<workgroup> cutoff_here: f32;
      var<workgroup> count_here: u32;
      fn normaliser_of(row: u32) -> f32 { return softmax[3u * row] + log(softmax[3u * row + 1u]); }`,
    body: `
      if (group >= u.num_ensemble) { return; }
      let label = i32(labels[3u * group]);
      if (lane == 0u) {
        var threshold = labels[3u * group + 2u];
        if (u.uses_ensemble == 0u) { threshold = labels[3u * group + 1u] - normaliser_of(group) + normaliser_of(u.num_direct + group); }
        cutoff_here = max(progress[2u * group + 1u], threshold + u.log_scale);
        count_here = u32(progress[2u * group]);
      }
      let cutoff = workgroupUniformLoad(&cutoff_here);
      var count = workgroupUniformLoad(&count_here);
      var own = 0.0;
      for (var v = lane; v < u.size; v += ${ROW_LANES}u) {
        if (ensemble_logit(group, v) > cutoff && i32(u.start + v) != label) { own += 1.0; }
      }
      let more = u32(sum_of(lane, own));
      let base = group * u.capacity;
      if (more > 0u && count + more > u.capacity) {
        var kept = 0u;
        for (var first = 0u; first < count; first += ${ROW_LANES}u) {
          let slot = base + first + lane;
          let is_used = first + lane < count;
          var token = 0; var z_ensemble = LOWEST; var z_final = 0.0;
          if (is_used) { token = tokens[slot]; z_ensemble = ensemble_logits[slot]; z_final = final_logits[slot]; }
          let stays = is_used && z_ensemble > cutoff;
          let new_slot = base + kept + rank_of(lane, stays);
          storageBarrier();
          if (is_used) { ensemble_logits[slot] = LOWEST; }
          storageBarrier();
          if (stays) { tokens[new_slot] = token; ensemble_logits[new_slot] = z_ensemble; final_logits[new_slot] = z_final; }
          kept += number_ranked();
        }
        count = kept;
      }
      let fits = count + more <= u.capacity;
      if (more > 0u && fits) {
        for (var first = 0u; first < u.size; first += ${ROW_LANES}u) {
          let v = first + lane;
          var z_ensemble = LOWEST;
          if (v < u.size && i32(u.start + v) != label) { z_ensemble = ensemble_logit(group, v); }
          let passes = z_ensemble > cutoff;
          let slot = base + count + rank_of(lane, passes);
          if (passes) { tokens[slot] = i32(u.start + v); ensemble_logits[slot] = z_ensemble; final_logits[slot] = logits[group * u.size + v]; }
          count += number_ranked();
        }
      }
      if (lane == 0u) {
        progress[2u * group] = f32(count);
        progress[2u * group + 1u] = select(-LOWEST, cutoff, fits);
      }`,
  };
});

/**
 * Adds the tokens of a tile, in their order, whose z~ is above a cutoff: the threshold by the normalisers so far, less
 * a margin. The cutoff only rises. Where a row is full, the candidates that are now below the cutoff are dropped; a row
 * that still does not fit is given up.
 */
export function collectCandidates(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  softmax: tf.TensorInfo,
  logitRows: LogitRows,
  start: number,
  size: number,
  rule: CandidateRule,
  { tokens, ensembleLogits, finalLogits, progress }: DeviceCandidates,
): void {
  runShader(backend, collectProgram(hasSubgroups(backend.device)), {
    reads: { logits, softmax, labels: rule.labels },
    writes: { tokens, ensemble_logits: ensembleLogits, final_logits: finalLogits, progress },
    integers: {
      ...ensembleIntegers(logitRows, size),
      num_direct: logitRows.numDirect,
      start,
      capacity: tokens.shape[1],
      uses_ensemble: rule.usesEnsemble ? 1 : 0,
    },
    floats: { log_scale: rule.logScale },
    workgroups: logitRows.numEnsemble,
  });
}
