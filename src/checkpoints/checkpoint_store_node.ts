import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { IlrecError } from '../errors';
import { removeAbandoned, writeFileAtomically } from '../files/atomic_file_node';
import { makeFolder } from '../files/make_folder_node';
import { decodeSafetensors, encodeSafetensors, type TensorData } from '../safetensors/safetensors';
import { outdated, type SnapshotStore } from './snapshot_store';
import { fileOfWeights, snapshotOf, type TrainingSnapshot, weightsOf } from './training_snapshot';

/**
 * Stores the checkpoints of a run in a folder: `step-000000120.safetensors`, and `best-000000100.safetensors` with the
 * best weights so far.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { causalLM, takeSnapshot } from 'tfjs-ilrec';
 * import { CheckpointStore } from 'tfjs-ilrec/node';
 *
 * const model = causalLM({ vocabSize: 7, hiddenSize: 8, numHiddenLayers: 1 });
 * const store = new CheckpointStore('checkpoints');
 * await store.save(await takeSnapshot(model, tf.train.adam(1e-3), 120));
 * console.log((await store.loadLatest())?.step); // 120
 * ```
 */
export class CheckpointStore implements SnapshotStore {
  /**
   * @param folder path of the folder; created when the first checkpoint is saved.
   * @param keep number of checkpoints to keep, the newest. Default 2, so that one is left if the newest is damaged.
   */
  constructor(
    private readonly folder: string,
    private readonly keep = 2,
  ) {}

  /**
   * Writes a checkpoint. Once it is on disk, removes older ones beyond `keep`, and checkpoints of later steps, which a
   * restarted run left behind.
   *
   * @param snapshot the state to store.
   * @throws IlrecError when the folder is not writable.
   */
  async save(snapshot: TrainingSnapshot): Promise<void> {
    await writeFileAtomically(
      join(this.folder, nameOf('step', snapshot.step)),
      encodeSafetensors(snapshot.file),
      'CheckpointStore.save',
    );
    await this.clean(snapshot.step);
  }

  /**
   * Reads the newest checkpoint that is not damaged.
   *
   * @returns the state, or null when there is no checkpoint.
   * @throws IlrecError when all checkpoints are damaged.
   */
  async loadLatest(): Promise<TrainingSnapshot | null> {
    const steps = await this.stepsOf('step');
    let failure: unknown = null;
    for (const step of steps) {
      const path = join(this.folder, nameOf('step', step));
      try {
        return snapshotOf(
          decodeSafetensors(await readFile(path), path, 'CheckpointStore.loadLatest'),
          path,
          'CheckpointStore.loadLatest',
        );
      } catch (error) {
        failure = error; // damaged: try the one before
      }
    }
    if (failure !== null) throw failure;
    return null;
  }

  /**
   * Writes the best weights so far. Call it before saving the first checkpoint that refers to them.
   *
   * @param step the step of the weights.
   * @param weights values in the model's order.
   * @throws IlrecError when the folder is not writable.
   */
  async saveBest(step: number, weights: readonly TensorData[]): Promise<void> {
    await writeFileAtomically(
      join(this.folder, nameOf('best', step)),
      encodeSafetensors(fileOfWeights(weights)),
      'CheckpointStore.saveBest',
    );
  }

  /**
   * Reads the best weights.
   *
   * @param step the step that they were saved with.
   * @returns values in the model's order.
   * @throws IlrecError when the file is missing or damaged.
   */
  async loadBest(step: number): Promise<TensorData[]> {
    const path = join(this.folder, nameOf('best', step));
    const bytes = await readFile(path).catch(() => {
      throw new IlrecError(
        `CheckpointStore.loadBest: ${path} must exist because a checkpoint refers to it, got none; train again ` +
          'without --resume',
      );
    });
    return weightsOf(decodeSafetensors(bytes, path, 'CheckpointStore.loadBest'));
  }

  /** Removes the folder with all checkpoints. */
  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async clean(saved: number): Promise<void> {
    await removeAbandoned(this.folder); // temporary files are as large as checkpoints
    const old = outdated(await this.stepsOf('step'), await this.stepsOf('best'), this.keep, saved);
    const removed = [
      ...old.steps.map((step) => nameOf('step', step)),
      ...old.bests.map((step) => nameOf('best', step)),
    ];
    await Promise.all(removed.map((name) => rm(join(this.folder, name), { force: true })));
  }

  /** Steps of the files of one kind, newest first. */
  private async stepsOf(kind: 'step' | 'best'): Promise<number[]> {
    await makeFolder(this.folder);
    const pattern = new RegExp(`^${kind}-(\\d+)\\.safetensors$`);
    const names = await readdir(this.folder);
    return names
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a);
  }
}

function nameOf(kind: 'step' | 'best', step: number): string {
  return `${kind}-${String(step).padStart(9, '0')}.safetensors`;
}
