import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { IlrecError } from '../errors';
import { removeAbandoned, writeFileAtomically } from '../files/atomic_file_node';
import { decodeSafetensors, encodeSafetensors, type TensorData } from '../safetensors/safetensors';
import { outdated, type SnapshotStore } from './snapshot_store';
import { fileOfWeights, snapshotOf, type TrainingSnapshot, weightsOf } from './training_snapshot';

/** Checkpoints of a run: `step-000000120.safetensors`, and `best-000000100.safetensors` with the weights that did best so far. */
export class CheckpointStore implements SnapshotStore {
  /** @param keep how many checkpoints stay; the newest ones. Default 2: the last good one survives a damaged newest. */
  constructor(
    private readonly folder: string,
    private readonly keep = 2,
  ) {}

  /** Writes a checkpoint; older ones go only after it is on the disk, and with them those of later steps, which a run that was started again has left. */
  async save(snapshot: TrainingSnapshot): Promise<void> {
    await writeFileAtomically(join(this.folder, nameOf('step', snapshot.step)), encodeSafetensors(snapshot.file));
    await this.clean(snapshot.step);
  }

  /** The newest checkpoint that can be read, or null where there is none. */
  async loadLatest(): Promise<TrainingSnapshot | null> {
    const steps = await this.stepsOf('step');
    let failure: unknown = null;
    for (const step of steps) {
      const path = join(this.folder, nameOf('step', step));
      try {
        return snapshotOf(decodeSafetensors(await readFile(path), path), path);
      } catch (error) {
        failure = error; // damaged: the one before it may be whole
      }
    }
    if (failure !== null) throw failure;
    return null;
  }

  /** Keeps the weights that did best; written before the first checkpoint that speaks of them. */
  async saveBest(step: number, weights: readonly TensorData[]): Promise<void> {
    await writeFileAtomically(join(this.folder, nameOf('best', step)), encodeSafetensors(fileOfWeights(weights)));
  }

  /** @throws IlrecError when the file is missing or damaged. */
  async loadBest(step: number): Promise<TensorData[]> {
    const path = join(this.folder, nameOf('best', step));
    const bytes = await readFile(path).catch(() => {
      throw new IlrecError(
        `loadBest: ${path} must be there, as a checkpoint speaks of it, got none; train again without --resume`,
      );
    });
    return weightsOf(decodeSafetensors(bytes, path));
  }

  /** Removes every checkpoint. */
  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async clean(saved: number): Promise<void> {
    await removeAbandoned(this.folder); // each as large as a checkpoint
    const old = outdated(await this.stepsOf('step'), await this.stepsOf('best'), this.keep, saved);
    const removed = [
      ...old.steps.map((step) => nameOf('step', step)),
      ...old.bests.map((step) => nameOf('best', step)),
    ];
    await Promise.all(removed.map((name) => rm(join(this.folder, name), { force: true })));
  }

  /** Steps of the files of a kind, newest first. */
  private async stepsOf(kind: 'step' | 'best'): Promise<number[]> {
    await mkdir(this.folder, { recursive: true });
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
