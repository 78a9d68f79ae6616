import * as tf from '@tensorflow/tfjs-core';
import { labelsOnCpu } from './labels_on_cpu';

/** The response positions of a batch and their labels. */
export interface ResponsePositions {
  /** Flat indices into [B * T], ascending, [P]. */
  readonly positions: Int32Array;
  /** All labels, [B * T]. */
  readonly allLabels: Int32Array;
  /** Labels of the positions, int32 [P]. */
  readonly labels: tf.Tensor1D;
  /** The rows of [B, T, D] at the positions, [P, D]. Gradient flows. */
  rowsOf(states: tf.Tensor3D): tf.Tensor2D;
}

/**
 * Finds the positions whose label counts. The labels are read synchronously; on WebGPU they must come from the CPU.
 *
 * @param labels int32 [B, T].
 * @param ignoreIndex label of a position that does not count.
 * @throws UnnamedError on a label that is not a whole number.
 */
export function responsePositions(labels: tf.Tensor, ignoreIndex: number): ResponsePositions {
  const allLabels = labelsOnCpu(labels);
  const positions = Int32Array.from(allLabels.keys()).filter((at) => allLabels[at] !== ignoreIndex);
  const index = tf.tensor1d(positions, 'int32'); // [P]
  return {
    positions,
    allLabels,
    labels: tf.tensor1d(
      positions.map((at) => allLabels[at]),
      'int32',
    ),
    rowsOf(states) {
      const [batch, length, size] = states.shape;
      const rows = tf.reshape(states, [batch * length, size]); // [B * T, D]
      return (positions.length === batch * length ? rows : tf.gather(rows, index)) as tf.Tensor2D;
    },
  };
}
