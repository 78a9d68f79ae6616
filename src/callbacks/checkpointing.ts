import type { SnapshotStore } from '../checkpoints/snapshot_store';
import { refuseUnsavable } from '../checkpoints/optimizer_state';
import { takeSnapshot } from '../checkpoints/training_snapshot';
import type { TrainingCallback, TrainingMethod, TrainingState } from '../training/training_callback';
import { EARLY_STOPPING_KEY, type EarlyStopping } from './early_stopping';
import { METHOD_KEY } from './resume_from';

export interface CheckpointOptions {
  /** Where checkpoints go: `indexedDbStore()` in a browser, a folder on Node. */
  store: SnapshotStore;
  /** Seconds between checkpoints within an epoch; each epoch ends with one anyway. Default 60. */
  everySeconds?: number;
  /** Its state and best weights are saved, too. */
  earlyStopping?: EarlyStopping;
  /** Its state is saved, too, where it has one. */
  method?: Pick<TrainingMethod, 'state'>;
  /** When aborted, the run finishes the step in progress, writes a checkpoint and stops. */
  signal?: AbortSignal;
}

/**
 * Makes a callback for `trainModel` that writes checkpoints, from which `resumeFrom` continues with the same numbers.
 *
 * List it after early stopping. The checkpoint at the end of an epoch then includes that epoch's evaluation, and none
 * is written between an epoch's last step and its evaluation, so a resumed run evaluates exactly as often.
 * `onTrainBegin` throws an IlrecError if the optimizer's state cannot be saved, as with `tf.train.adamax`.
 *
 * @param options see `CheckpointOptions`.
 * @returns a callback for `trainModel`.
 *
 * @example
 * ```ts
 * import { AdamW, causalLM, checkpointing, createBatches, sft, trainModel } from 'tfjs-ilrec';
 * import { CheckpointStore } from 'tfjs-ilrec/node';
 *
 * const store = new CheckpointStore('my-run');
 * await trainModel({
 *   model: causalLM({ vocabSize: 6, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 }),
 *   method: sft(),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches: createBatches({ sequences: [[0, 1, 2], [2, 1]], itemTokens: [[3], [4], [5]], batchSize: 1 }),
 *   epochs: 2,
 *   callbacks: [checkpointing({ store })],
 * });
 * console.log((await store.loadLatest())?.step); // 4
 * ```
 */
export function checkpointing({
  store,
  everySeconds = 60,
  earlyStopping,
  method,
  signal,
}: CheckpointOptions): TrainingCallback {
  let savedAt = performance.now();
  let savedBest = earlyStopping?.state.best === null ? -1 : (earlyStopping?.state.bestStep ?? -1);

  async function save({ model, optimizer, step }: TrainingState): Promise<void> {
    if (earlyStopping?.bestWeights != null && earlyStopping.state.bestStep !== savedBest) {
      savedBest = earlyStopping.state.bestStep;
      await store.saveBest(savedBest, earlyStopping.bestWeights);
    }
    const callbacks: Record<string, unknown> = {};
    if (earlyStopping !== undefined) callbacks[EARLY_STOPPING_KEY] = earlyStopping.state;
    if (method?.state !== undefined) callbacks[METHOD_KEY] = await method.state.read();
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
