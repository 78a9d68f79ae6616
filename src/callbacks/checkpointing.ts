import type { SnapshotStore } from '../checkpoints/snapshot_store';
import { refuseUnsavable } from '../checkpoints/optimizer_state';
import { takeSnapshot } from '../checkpoints/training_snapshot';
import type { TrainingCallback, TrainingState } from '../training/train_model';
import { EARLY_STOPPING_KEY, type EarlyStopping } from './early_stopping';

export interface CheckpointOptions {
  store: SnapshotStore;
  /** Seconds between checkpoints inside an epoch; each epoch ends with one anyway. Default 60. */
  everySeconds?: number;
  /** Its state and best weights go along. */
  earlyStopping?: EarlyStopping;
  /** When aborted, the run writes a checkpoint after the step in progress and stops. */
  signal?: AbortSignal;
}

/**
 * Writes checkpoints. Give it after early stopping: the checkpoint of a whole epoch then includes that epoch's evaluation, and no other checkpoint stands
 * between an epoch's last step and its evaluation, so that a resumed run evaluates exactly as often. Training throws at its begin where the optimizer's
 * state cannot be saved, as that of `tf.train.adamax`.
 */
export function checkpointing({
  store,
  everySeconds = 60,
  earlyStopping,
  signal,
}: CheckpointOptions): TrainingCallback {
  let savedAt = performance.now();
  let savedBest = earlyStopping?.state.best === null ? -1 : (earlyStopping?.state.bestStep ?? -1);

  async function save({ model, optimizer, step }: TrainingState): Promise<void> {
    if (earlyStopping?.bestWeights != null && earlyStopping.state.bestStep !== savedBest) {
      savedBest = earlyStopping.state.bestStep;
      await store.saveBest(savedBest, earlyStopping.bestWeights);
    }
    const callbacks = earlyStopping === undefined ? {} : { [EARLY_STOPPING_KEY]: earlyStopping.state };
    await store.save(await takeSnapshot(model, optimizer, step, callbacks));
    savedAt = performance.now();
  }

  return {
    async onTrainBegin({ optimizer }) {
      await refuseUnsavable(optimizer);
    },
    async onStep(_, state) {
      if (state.step % state.stepsPerEpoch === 0) return; // onEpochEnd follows
      const aborted = signal?.aborted === true;
      if (aborted || performance.now() - savedAt >= 1000 * everySeconds) await save(state);
      if (aborted) state.stop();
    },
    async onEpochEnd(state) {
      await save(state);
      if (signal?.aborted === true) state.stop();
    },
  };
}
