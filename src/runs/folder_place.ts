import type * as tfl from '@tensorflow/tfjs-layers';
import { CheckpointStore } from '../checkpoints/checkpoint_store_node';
import { loadModel } from '../checkpoints/model_files_node';
import { readWeights, writeWeights } from '../checkpoints/training_snapshot';
import { disposeModel } from '../models/dispose_model';
import type { RunContext, RunPlace } from '../recommender/train_method';
import { namingKey } from './load_need';
import { readManifest, type RunManifest } from './manifest';
import { PeakMemory } from './peak_memory';
import type { AskedLength, Prolonging } from './prolong_run';
import type { RunClock } from './run_clock';
import { logEvaluation, RunLog, stepLog } from './run_log';
import { runPaths } from './run_paths';
import { settleLength } from './settle_length';

/** A run folder to train in: checkpoints, log and manifest. */
export interface FolderPlace extends RunPlace {
  /** The most memory during the training, in bytes; null before it. */
  peakMemory(): number | null;
}

export interface FolderPlaceOptions extends Pick<RunPlace, 'loadNeed'> {
  /** Gets what the run chooses. */
  readonly manifest: RunManifest;
  /** Whether no earlier call began the run. */
  readonly isNew: boolean;
  /** How long the run shall be. */
  readonly asked: AskedLength;
  /** Set where a run is trained for longer than it was begun for. */
  readonly longer: Prolonging | null;
  /** Writes the seconds while the run trains. */
  readonly clock: RunClock;
}

export function folderPlace(
  { files: { folder } }: RunContext,
  { manifest, isNew, asked, longer, clock, loadNeed }: FolderPlaceOptions,
): FolderPlace {
  const paths = runPaths(folder);
  let memory: PeakMemory | null = null;
  return {
    store: new CheckpointStore(paths.checkpoints),
    settle: (method, training, context) => settleLength(method, training, context, manifest, asked, longer),
    checkStart: async (run) => (isNew ? await checkInitialWeights(run) : undefined),
    startFrom,
    loadNeed,
    async record(startStep) {
      const log = await RunLog.open(paths.log, startStep);
      const peak = (memory = new PeakMemory());
      return {
        callbacks: [clock.callback, stepLog(log), { onStep: () => peak.sample() }],
        onEvaluation: (record) => logEvaluation(log, record),
        close: () => log.close(),
      };
    },
    peakMemory: () => memory?.bytes ?? null,
  };
}

/** @throws IlrecError when there is no run to start from. */
async function checkInitialWeights(folder: string): Promise<void> {
  await readManifest(folder).catch((error: unknown) => {
    throw namingKey(error, 'training.initialWeights', folder);
  });
}

/** Takes over the weights of a finished run. @throws IlrecError when there is none, or its model is another one. */
async function startFrom(model: tfl.LayersModel, folder: string): Promise<void> {
  try {
    await readManifest(folder);
    const other = await loadModel(runPaths(folder).model);
    try {
      writeWeights(model, await readWeights(other));
    } finally {
      disposeModel(other);
    }
  } catch (error) {
    throw namingKey(error, 'training.initialWeights', folder);
  }
}
