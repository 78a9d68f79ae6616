import * as tf from '@tensorflow/tfjs-core';
import { type DeviceCandidates, type DeviceCandidateSearch, readHeadOnDevice } from '../../vocabulary/device_reading';
import type { VocabularyProjection } from '../../vocabulary/vocabulary_projection';
import type { Expected, LayerRows } from './read_layers';

/** `LayerReading` on the device, with columns for arrays. */
export interface DeviceLayerReading {
  /** log sum e^z of z^L, [P, 1]. */
  readonly finalLogSumExp: tf.Tensor2D;
  /** Of the students' z^l, [S * P, 1]; null where there are none. */
  readonly studentLogSumExp: tf.Tensor2D | null;
  /** Of z^L and then of the students, [P or P + S * P, 1]. */
  readonly logSumExp: tf.Tensor2D;
  /** E_p[W] of the final rows and then of the students', [P or P + S * P, D]; null for none. */
  readonly expectations: tf.Tensor2D | null;
  /** The tokens that may be negatives, ranked by z~; null where none were searched. */
  readonly candidates: DeviceCandidates | null;
}

/** `readLayers` on the device. */
export function readLayersOnDevice(
  head: VocabularyProjection,
  { finalHidden, studentHidden, ensembleHidden }: LayerRows,
  search: Omit<DeviceCandidateSearch, 'rankingHidden'> | null,
  expected: Expected,
): DeviceLayerReading {
  const numRows = finalHidden.shape[0]; // P
  const hidden = studentHidden === null ? finalHidden : tf.concat([finalHidden, studentHidden], 0); // [R, D]
  const numExpected = { none: 0, final: numRows, all: hidden.shape[0] }[expected];
  const { logSumExp, expectations, candidates } = readHeadOnDevice(head, hidden, {
    numExpected,
    search: search === null ? null : { ...search, rankingHidden: ensembleHidden },
  });
  return {
    finalLogSumExp: tf.slice(logSumExp, [0, 0], [numRows, 1]),
    studentLogSumExp: studentHidden === null ? null : tf.slice(logSumExp, [numRows, 0], [studentHidden.shape[0], 1]),
    logSumExp,
    expectations,
    candidates,
  };
}
