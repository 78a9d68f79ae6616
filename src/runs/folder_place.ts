import type * as tfl from '@tensorflow/tfjs-layers';
import { CheckpointStore } from '../checkpoints/checkpoint_store_node';
import { loadModel } from '../checkpoints/model_files_node';
import { readWeights, writeWeights } from '../checkpoints/training_snapshot';
import { disposeModel } from '../models/dispose_model';
import type { RunContext, RunPlace } from '../recommender/train_method';
import { readManifest, type RunManifest, writeManifest } from './manifest';
import { PeakMemory } from './peak_memory';
import type { RunClock } from './run_clock';
import { writeConfig } from './run_json';
import { logEvaluation, RunLog, stepLog } from './run_log';
import { runPaths } from './run_paths';

/** A run folder to train in: checkpoints, log and manifest. */
export interface FolderPlace extends RunPlace {
  /** The most memory during the training, in bytes; null before it. */
  peakMemory(): number | null;
}

/**
 * @param manifest gets what the run chooses.
 * @param isNew whether no earlier call began the run.
 * @param clock writes the seconds while the run trains.
 */
export function folderPlace(
  { config, files: { folder } }: RunContext,
  manifest: RunManifest,
  isNew: boolean,
  clock: RunClock,
  loadNeed: RunPlace['loadNeed'],
): FolderPlace {
  const paths = runPaths(folder);
  let memory: PeakMemory | null = null;
  return {
    store: new CheckpointStore(paths.checkpoints),
    chosen: manifest.chosen,
    async keepChosen(chosen) {
      manifest.chosen = chosen;
      await writeManifest(folder, manifest); // first: it says which numbers of the config were open
      await writeConfig(folder, { ...config, training: { ...config.training, ...chosen } });
    },
    checkStart: async (run) => (isNew ? void (await readManifest(run)) : undefined),
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

/** Takes over the weights of a finished run. */
async function startFrom(model: tfl.LayersModel, folder: string): Promise<void> {
  await readManifest(folder);
  const other = await loadModel(runPaths(folder).model);
  try {
    writeWeights(model, await readWeights(other));
  } finally {
    disposeModel(other);
  }
}
