import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { EARLY_STOPPING_KEY, type EarlyStopping, type EarlyStoppingState } from './early_stopping';
import type { SnapshotStore } from '../checkpoints/snapshot_store';
import { restoreSnapshot } from '../checkpoints/training_snapshot';
import { setDropoutStep } from '../layers/dropout_state';
import type { TrainingMethod } from '../training/training_callback';

/** The name under which a training snapshot holds the state of a method. */
export const METHOD_KEY = 'method';

export interface ResumeFromOptions {
  /** Made as in the first run; gets the weights. */
  model: tfl.LayersModel;
  /** Made as in the first run; gets its state. */
  optimizer: tf.Optimizer;
  /** Made as in the first run; gets the step, from which its schedules continue, and its state. */
  method?: Pick<TrainingMethod, 'step' | 'state'>;
  /** Gets its state and best weights. */
  earlyStopping?: EarlyStopping;
}

/**
 * Restores a run's newest checkpoint: weights, optimizer state, dropout masks and schedules. The resumed run gives the
 * same numbers as one that never stopped.
 *
 * Pass the result to `trainModel` as `startStep`, or to plain `fitDataset` as `batchDataset(batches, { startStep })`
 * and `initialEpoch: Math.floor(startStep / batches.stepsPerEpoch)`.
 *
 * @param store the store that `checkpointing` wrote to.
 * @param options see `ResumeFromOptions`.
 * @returns the number of steps done before; 0 when the store is empty, and then nothing is changed.
 * @throws IlrecError when the checkpoint belongs to another model.
 *
 * @example
 * ```ts
 * import { AdamW, causalLM, checkpointing, createBatches, resumeFrom, sft, trainModel } from 'tfjs-ilrec';
 * import { CheckpointStore } from 'tfjs-ilrec/node';
 *
 * const store = new CheckpointStore('my-resumed-run');
 * const batches = createBatches({ sequences: [[0, 1, 2], [2, 1]], itemTokens: [[3], [4], [5]], batchSize: 1 });
 * async function train(epochs: number) {
 *   const model = causalLM({ vocabSize: 6, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 });
 *   const [optimizer, method] = [new AdamW({ learningRate: 0.01 }), sft()];
 *   const startStep = await resumeFrom(store, { model, optimizer, method });
 *   const callbacks = [checkpointing({ store })];
 *   const { step } = await trainModel({ model, method, optimizer, batches, epochs, startStep, callbacks });
 *   return [startStep, step];
 * }
 * console.log(await train(1)); // [ 0, 2 ]
 * console.log(await train(3)); // [ 2, 6 ]
 * ```
 */
export async function resumeFrom(
  store: SnapshotStore,
  { model, optimizer, method, earlyStopping }: ResumeFromOptions,
): Promise<number> {
  const snapshot = await store.loadLatest();
  if (snapshot === null) return 0;
  await restoreSnapshot(model, optimizer, snapshot);
  setDropoutStep(model, snapshot.step);
  if (method?.step !== undefined) method.step = snapshot.step;
  if (snapshot.callbacks[METHOD_KEY] !== undefined) method?.state?.write(snapshot.callbacks[METHOD_KEY]);
  const remembered = snapshot.callbacks[EARLY_STOPPING_KEY] as EarlyStoppingState | undefined;
  if (earlyStopping !== undefined && remembered !== undefined) {
    earlyStopping.state = remembered;
    if (remembered.best !== null) earlyStopping.bestWeights = await store.loadBest(remembered.bestStep);
  }
  return snapshot.step;
}
