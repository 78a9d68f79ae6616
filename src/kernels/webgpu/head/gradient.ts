import type * as tf from '@tensorflow/tfjs-core';
import { type FinalFactors, putBiasGradient, putFinalFactors, putStudentFactors } from './factors';
import { type DeviceHead, sizesOf } from './parts';
import { forEachTile } from './reading';
import { putTileGradient, tileLogits } from './tile';
import { makeOutput } from '../shader';
import type { WebGpuBackend } from '../webgpu_backend';

export interface HeadGradientReading {
  readonly width: number;
  readonly numFinal: number;
  /** Rows of the students, which follow the final ones; 0 where none is compared. */
  readonly numStudents: number;
  /** lambda / (S P) */
  readonly studentWeight: number;
  /** log sum e^z of the final rows and the students, [P + S P, 1]. */
  readonly normalisers: tf.TensorInfo;
  /** What flows to the final layer's logits; null where they only teach. */
  readonly finalFactors: FinalFactors | null;
  readonly trains: { readonly weight: boolean; readonly bias: boolean };
}

/**
 * Reads a trained head once and gives every token its gradient.
 *
 * @param hidden the final hidden states, then the students', then those of z~ where something is penalised.
 * @returns the gradients of weight and bias, those that are trained.
 */
export function headGradient(
  backend: WebGpuBackend,
  head: DeviceHead,
  hidden: tf.TensorInfo,
  { width, numFinal, numStudents, studentWeight, normalisers, finalFactors, trains }: HeadGradientReading,
): tf.TensorInfo[] {
  const { vocabSize } = sizesOf(head);
  const weight = trains.weight ? makeOutput(backend, head.weight.shape) : null;
  const bias = trains.bias ? makeOutput(backend, [vocabSize]) : null;
  const firstRow = finalFactors === null ? numFinal : 0;
  const numRows = numFinal + numStudents - firstRow;
  forEachTile(backend, head, width, hidden.shape[0], (tile, logits) => {
    const { start, size } = tile;
    tileLogits(backend, tile, hidden, logits);
    if (numStudents > 0) putStudentFactors(backend, logits, normalisers, numFinal, numStudents, size, studentWeight);
    if (finalFactors !== null) putFinalFactors(backend, logits, numFinal, start, size, finalFactors);
    if (weight !== null) putTileGradient(backend, tile, weight, logits, hidden, firstRow, numRows);
    if (bias !== null) putBiasGradient(backend, logits, firstRow, numRows, start, size, bias);
  });
  return [weight, bias].filter((gradient) => gradient !== null);
}
