import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/** One batch as tfjs's datasets give it. */
export interface DatasetBatch {
  xs: tf.TensorContainer;
  ys: tf.TensorContainer;
}

/** A dataset as tfjs sees it, without the package that makes them. */
export function datasetOf(batches: () => DatasetBatch[]): Parameters<tfl.LayersModel['fitDataset']>[0] {
  return {
    size: null,
    iterator: async () => {
      let queue: DatasetBatch[] | null = null; // tfjs makes one iterator that it never asks for a batch
      return {
        next: async () => {
          queue ??= batches();
          return queue.length > 0 ? { value: queue.shift(), done: false } : { value: null, done: true };
        },
      };
    },
  } as unknown as Parameters<tfl.LayersModel['fitDataset']>[0];
}
