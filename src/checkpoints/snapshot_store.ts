import type { TensorData } from '../safetensors/safetensors';
import type { TrainingSnapshot } from './training_snapshot';

/** Keeps the checkpoints of one run: in a browser's IndexedDB (`indexedDbStore`), or in a folder (`CheckpointStore` of `tfjs-ilrec/node`). */
export interface SnapshotStore {
  /** Writes a checkpoint, whole or not at all; older ones go only after it is there, and with them those of later steps, which a run that was started again has left. */
  save(snapshot: TrainingSnapshot): Promise<void>;
  /** The newest checkpoint, or null where there is none. */
  loadLatest(): Promise<TrainingSnapshot | null>;
  /** Keeps the weights that did best; written before the first checkpoint that speaks of them. */
  saveBest(step: number, weights: readonly TensorData[]): Promise<void>;
  /** @throws IlrecError when they are not there. */
  loadBest(step: number): Promise<TensorData[]>;
  /** Removes every checkpoint of the run. */
  clear(): Promise<void>;
}

/**
 * What goes when `keep` checkpoints stay: the older ones, and those of later steps than the one just saved, as their run was started again from before them.
 *
 * @param steps @param bests steps of the checkpoints and of the best weights there are. @param saved step of the newest write.
 */
export function outdated(
  steps: readonly number[],
  bests: readonly number[],
  keep: number,
  saved: number,
): { steps: number[]; bests: number[] } {
  const upToSaved = (list: readonly number[]): number[] => list.filter((step) => step <= saved).sort((a, b) => b - a); // newest first
  const kept = upToSaved(steps).slice(0, keep);
  // a kept checkpoint may speak of any best up to its own step: the newest of those, for the oldest kept one, and all after it
  const oldest = upToSaved(bests).find((step) => step <= kept[kept.length - 1]) ?? -1;
  return {
    steps: steps.filter((step) => !kept.includes(step)),
    bests: bests.filter((step) => step < oldest || step > saved),
  };
}
