import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { EARLY_STOPPING_KEY, type EarlyStopping, type EarlyStoppingState } from './early_stopping';
import type { SnapshotStore } from '../checkpoints/snapshot_store';
import { restoreSnapshot } from '../checkpoints/training_snapshot';
import { setDropoutStep } from '../layers/dropout_state';

export interface ResumeFromOptions {
  model: tfl.LayersModel;
  /** Made as for the first run. */
  optimizer: tf.Optimizer;
  /** Its schedules go on. */
  method?: { step?: number };
  /** Gets its state and best weights back. */
  earlyStopping?: EarlyStopping;
}

/**
 * Puts a run's newest checkpoint back: weights, optimizer state, dropout masks and schedules. `trainModel` goes on with the result as `startStep`; so does
 * plain `fitDataset`, with `batchDataset(batches, { startStep })` and `initialEpoch: Math.floor(startStep / batches.stepsPerEpoch)`.
 *
 * @returns steps done before; 0 where the store is empty, and then nothing is changed.
 * @throws IlrecError when the checkpoint is of another model.
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
  const remembered = snapshot.callbacks[EARLY_STOPPING_KEY] as EarlyStoppingState | undefined;
  if (earlyStopping !== undefined && remembered !== undefined) {
    earlyStopping.state = remembered;
    if (remembered.best !== null) earlyStopping.bestWeights = await store.loadBest(remembered.bestStep);
  }
  return snapshot.step;
}
