import type * as tf from '@tensorflow/tfjs-core';
import { blendedAt, blendedIntegers, type TileRows } from './softmax';
import { ROW_LANES, rowRanks } from '../row_ranks';
import { LOWEST, rowReductions } from '../row_reductions';
import { fillTensor } from '../large_elementwise';
import { makeOutput, runShader } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

/** The tokens of each response row that may be negatives, [P, C] each; z~ of an unused place is below every logit. */
export interface DeviceCandidates {
  readonly tokens: tf.TensorInfo;
  readonly ensemble: tf.TensorInfo;
  readonly final: tf.TensorInfo;
  /** How many there are, and below which z~ tokens are left out, [P, 2]; no token is above the latter where they did not fit. */
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
  const [tokens, ensemble, final, progress] = [
    makeOutput(backend, shape, 'int32'),
    makeOutput(backend, shape),
    makeOutput(backend, shape),
    makeOutput(backend, [numRows, 2]),
  ];
  fillTensor(backend, tokens, 0);
  fillTensor(backend, ensemble, LOWEST);
  fillTensor(backend, final, 0);
  fillTensor(backend, progress, 0, LOWEST);
  return { tokens, ensemble, final, progress };
}

/**
 * Adds a tile's tokens, in their order, whose z~ is above a cutoff: where the normalisers of what has been seen put the threshold, less a margin. It only
 * rises; where a row is full, what it now leaves out is dropped, and a row that still does not fit is given up.
 */
export function collectCandidates(
  backend: WebGpuBackend,
  logits: tf.TensorInfo,
  softmax: tf.TensorInfo,
  rows: TileRows,
  start: number,
  size: number,
  rule: CandidateRule,
  { tokens, ensemble, final, progress }: DeviceCandidates,
): void {
  const integers = {
    ...blendedIntegers(rows, size),
    num_direct: rows.numDirect,
    start,
    capacity: tokens.shape[1],
    uses_ensemble: rule.usesEnsemble ? 1 : 0,
  };
  runShader(backend, {
    name: 'ILRecHeadCandidates',
    reads: { logits, softmax, labels: rule.labels },
    writes: { tokens, ensembles: ensemble, finals: final, progress },
    integers,
    floats: { log_scale: rule.logScale },
    workgroupSize: ROW_LANES,
    workgroups: rows.numBlended,
    enable: rowReductions(backend.device, ROW_LANES).enable,
    declarations: `${rowReductions(backend.device, ROW_LANES).declarations}${rowRanks}${blendedAt}
      var<workgroup> cutoff_here: f32;
      var<workgroup> count_here: u32;
      fn normaliser_of(row: u32) -> f32 { return softmax[3u * row] + log(softmax[3u * row + 1u]); }`,
    body: `
      if (group >= u.num_blended) { return; }
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
        if (blended_at(group, v) > cutoff && i32(u.start + v) != label) { own += 1.0; }
      }
      let more = u32(sum_of(lane, own));
      let base = group * u.capacity;
      if (more > 0u && count + more > u.capacity) {
        var kept = 0u;
        for (var at = 0u; at < count; at += ${ROW_LANES}u) {
          let slot = base + at + lane;
          let is_used = at + lane < count;
          var token = 0; var z_ensemble = LOWEST; var z = 0.0;
          if (is_used) { token = tokens[slot]; z_ensemble = ensembles[slot]; z = finals[slot]; }
          let stays = is_used && z_ensemble > cutoff;
          let place = base + kept + rank_of(lane, stays);
          storageBarrier();
          if (is_used) { ensembles[slot] = LOWEST; }
          storageBarrier();
          if (stays) { tokens[place] = token; ensembles[place] = z_ensemble; finals[place] = z; }
          kept += number_ranked();
        }
        count = kept;
      }
      let fits = count + more <= u.capacity;
      if (more > 0u && fits) {
        for (var at = 0u; at < u.size; at += ${ROW_LANES}u) {
          let v = at + lane;
          var z_ensemble = LOWEST;
          if (v < u.size && i32(u.start + v) != label) { z_ensemble = blended_at(group, v); }
          let passes = z_ensemble > cutoff;
          let place = base + count + rank_of(lane, passes);
          if (passes) { tokens[place] = i32(u.start + v); ensembles[place] = z_ensemble; finals[place] = logits[group * u.size + v]; }
          count += number_ranked();
        }
      }
      if (lane == 0u) {
        progress[2u * group] = f32(count);
        progress[2u * group + 1u] = select(-LOWEST, cutoff, fits);
      }`,
  });
}
