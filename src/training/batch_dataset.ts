import type * as tfl from '@tensorflow/tfjs-layers';
import type { Batches } from './batches';
import { toTensors } from './train_model';

/** A dataset as `model.fitDataset` takes it; tfjs-layers does not export the type by name. */
export type FitDataset = Parameters<tfl.LayersModel['fitDataset']>[0];

/**
 * Batches as a dataset for plain `model.fitDataset`: `xs` and `ys` int32 [B, T], freed by tfjs after the step. Each pass over it is the
 * next epoch, in that epoch's order.
 *
 * @param startEpoch epoch of the first pass, default 0.
 */
export function batchDataset(batches: Batches, startEpoch = 0): FitDataset {
  let nextEpoch = startEpoch;
  return {
    size: batches.stepsPerEpoch,
    // fitDataset asks for an iterator that it never reads, too: an epoch counts from its first batch
    async iterator() {
      let rows: ReturnType<Batches['batchesOf']> | null = null;
      return {
        next: async () => {
          rows ??= batches.batchesOf(nextEpoch++);
          const { value, done } = rows.next();
          return done === true ? { value: null, done: true } : { value: toTensors(value), done: false };
        },
      };
    },
  } as unknown as FitDataset;
}
