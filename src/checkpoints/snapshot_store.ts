import type { TensorData } from '../safetensors/safetensors';
import type { TrainingSnapshot } from './training_snapshot';

/**
 * Stores the checkpoints of one run: in the browser's IndexedDB (`indexedDbStore`), or in a folder (`CheckpointStore`
 * of `tfjs-ilrec/node`).
 */
export interface SnapshotStore {
  /**
   * Writes a checkpoint atomically. Then removes older ones, and those of later steps, which a restarted run left
   * behind.
   */
  save(snapshot: TrainingSnapshot): Promise<void>;
  /** The newest checkpoint, or null when there is none. */
  loadLatest(): Promise<TrainingSnapshot | null>;
  /** Writes the best weights so far. Called before the first checkpoint that refers to them is saved. */
  saveBest(step: number, weights: readonly TensorData[]): Promise<void>;
  /** The best weights, of the given step. @throws IlrecError when they are missing. */
  loadBest(step: number): Promise<TensorData[]>;
  /** Removes all checkpoints of the run. */
  clear(): Promise<void>;
}

/**
 * The checkpoints to remove after saving one: older ones beyond `keep`, and those of later steps, whose run was
 * restarted from an earlier step.
 *
 * @param steps steps of all checkpoints.
 * @param bests steps of all best weights.
 * @param keep number of checkpoints to keep.
 * @param saved step of the checkpoint just saved.
 */
export function outdated(
  steps: readonly number[],
  bests: readonly number[],
  keep: number,
  saved: number,
): { steps: number[]; bests: number[] } {
  // newest first
  const upToSaved = (list: readonly number[]): number[] => list.filter((step) => step <= saved).sort((a, b) => b - a);
  const kept = upToSaved(steps).slice(0, keep);
  // a kept checkpoint may refer to any best weights up to its step: keep the newest of those of the oldest kept one,
  // and all after it
  const oldest = upToSaved(bests).find((step) => step <= kept[kept.length - 1]) ?? -1;
  return {
    steps: steps.filter((step) => !kept.includes(step)),
    bests: bests.filter((step) => step < oldest || step > saved),
  };
}
