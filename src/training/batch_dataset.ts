import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Batch, Batches } from './batches';

/** A dataset as `model.fitDataset` takes it; tfjs-layers does not export the type by name. */
export type FitDataset = Parameters<tfl.LayersModel['fitDataset']>[0];

export interface BatchDatasetOptions {
  /** Steps that an earlier run did: the first pass goes on after them. Default 0. */
  startStep?: number;
  /** Told of each batch before it is trained on. */
  onBatch?: (batch: Batch) => void;
}

/**
 * Batches as a dataset for plain `model.fitDataset`: `xs` and `ys` int32 [B, T], freed by tfjs after the step. Each pass over it is the
 * next epoch, in that epoch's order.
 */
export function batchDataset(batches: Batches, { startStep = 0, onBatch }: BatchDatasetOptions = {}): FitDataset {
  const { stepsPerEpoch } = batches;
  const startEpoch = Math.floor(startStep / stepsPerEpoch);
  let nextEpoch = startEpoch;
  return {
    size: stepsPerEpoch,
    // fitDataset asks for an iterator that it never reads, too: an epoch counts from its first batch
    async iterator() {
      let rows: ReturnType<Batches['batchesOf']> | null = null;
      return {
        next: async () => {
          rows ??= batches.batchesOf(nextEpoch, nextEpoch++ === startEpoch ? startStep % stepsPerEpoch : 0);
          const { value, done } = rows.next();
          if (done === true) return { value: null, done: true };
          onBatch?.(value);
          return { value: toTensors(value), done: false };
        },
      };
    },
  } as unknown as FitDataset;
}

/** The tensors of a batch: input ids and labels, int32 [B, T]. */
export function toTensors({ inputIds, labels, batchSize, sequenceLength }: Batch): {
  xs: tf.Tensor2D;
  ys: tf.Tensor2D;
} {
  const shape: [number, number] = [batchSize, sequenceLength];
  return { xs: tf.tensor2d(inputIds, shape, 'int32'), ys: tf.tensor2d(labels, shape, 'int32') };
}
