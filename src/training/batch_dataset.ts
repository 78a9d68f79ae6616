import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Batch, Batches } from './batches';

/** A dataset as `model.fitDataset` takes it; tfjs-layers does not export the type by name. */
export type FitDataset = Parameters<tfl.LayersModel['fitDataset']>[0];

export interface BatchDatasetOptions {
  /** Steps that an earlier run did: the first pass starts after them. Default 0. */
  startStep?: number;
  /** Makes the batch to train on, called when the step before is done. Default: the batch as it is. */
  prepare?: (batch: Batch) => Promise<Batch>;
  /** Called with each batch before the model trains on it. */
  onBatch?: (batch: Batch) => void;
}

/**
 * Turns batches into a dataset for plain `model.fitDataset`: `xs` and `ys` int32 [B, T], which tfjs frees after each
 * step; for an encoder-decoder, `xs` are both of its inputs. Each pass over the dataset is the next epoch, in that
 * epoch's order.
 *
 * @param batches from `createBatches`, `promptBatches` or `encoderDecoderBatches`.
 * @param options see `BatchDatasetOptions`.
 * @returns a dataset of `batches.stepsPerEpoch` elements.
 *
 * @example
 * ```ts
 * import { batchDataset, causalLM, createBatches, sft } from 'tfjs-ilrec';
 *
 * const batches = createBatches({ sequences: [[0, 1, 2], [2, 1]], itemTokens: [[3], [4], [5]] });
 * const model = causalLM({ vocabSize: 6, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 });
 * const method = sft();
 * model.compile({ optimizer: 'sgd', loss: method.loss });
 * const { history } = await model.fitDataset(batchDataset(batches), { epochs: 2, verbose: 0, callbacks: [method.callback] });
 * console.log(history.loss.length); // 2
 * ```
 */
export function batchDataset(
  batches: Batches,
  { startStep = 0, prepare, onBatch }: BatchDatasetOptions = {},
): FitDataset {
  const { stepsPerEpoch } = batches;
  const startEpoch = Math.floor(startStep / stepsPerEpoch);
  let nextEpoch = startEpoch;
  return {
    size: stepsPerEpoch,
    // fitDataset also asks for an iterator that it never reads, so an epoch begins with its first batch
    async iterator() {
      let epochBatches: ReturnType<Batches['batchesOf']> | null = null;
      return {
        next: async () => {
          epochBatches ??= batches.batchesOf(nextEpoch, nextEpoch++ === startEpoch ? startStep % stepsPerEpoch : 0);
          const { value, done } = epochBatches.next();
          if (done === true) return { value: null, done: true };
          const batch = (await prepare?.(value)) ?? value;
          onBatch?.(batch);
          const { xs, decoderXs, ys } = toTensors(batch);
          return { value: { xs: decoderXs === undefined ? xs : [xs, decoderXs], ys }, done: false };
        },
      };
    },
  } as unknown as FitDataset;
}

/**
 * Makes the tensors of a batch, for training loops by hand.
 *
 * @param batch from `batches.batchesOf(epoch)`.
 * @returns `xs`, the input ids, and `ys`, the labels, int32 [B, T] both; for an encoder-decoder also `decoderXs`, the
 *   decoder's input [B, T], and `xs` is [B, S]. The caller disposes them.
 *
 * @example
 * ```ts
 * import { createBatches, toTensors } from 'tfjs-ilrec';
 *
 * const batches = createBatches({ sequences: [[0, 1, 2], [2, 1]], itemTokens: [[3], [4], [5]] });
 * for (const batch of batches.batchesOf(0)) {
 *   const { xs, ys } = toTensors(batch);
 *   console.log(xs.shape, ys.dtype); // [ 2, 3 ] int32
 * }
 * ```
 */
export function toTensors({ inputIds, labels, decoderInputIds, batchSize, sequenceLength }: Batch): {
  xs: tf.Tensor2D;
  decoderXs?: tf.Tensor2D;
  ys: tf.Tensor2D;
} {
  const xs = tf.tensor2d(inputIds, [batchSize, sequenceLength], 'int32');
  const written: [number, number] = [batchSize, labels.length / batchSize];
  const ys = tf.tensor2d(labels, written, 'int32');
  return decoderInputIds === undefined
    ? { xs, ys }
    : { xs, decoderXs: tf.tensor2d(decoderInputIds, written, 'int32'), ys };
}
