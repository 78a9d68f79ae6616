import { readFile } from 'node:fs/promises';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import { IlrecError } from '../errors';
import { writeJsonAtomically } from '../files/atomic_file_node';
import type { Baselines } from './baselines';
import { parseJson } from './run_json';
import { runPaths } from './run_paths';
import type { ChosenBudget } from './training_budget';

/** What a run measured on the validation users. */
export interface RunValidation {
  readonly users: number;
  readonly bestStep: number;
  /** The evaluation whose weights were kept. */
  readonly best: EvaluationRecord | null;
  /** What simple methods reach on the same users. Absent where the method itself counts, and in older runs. */
  readonly baselines?: Baselines;
}

/** The other model whose scores count in the lists of a run. */
export interface RunFusion {
  /** Its method. */
  readonly method: string;
  /** Its folder; null where it lies in the run. */
  readonly run: string | null;
  /** g, weight of the language model. */
  readonly weight: number;
  /** NDCG@10 on the validation users for each weight, where it was chosen by it. */
  readonly validation?: readonly { readonly weight: number; readonly 'ndcg@10': number }[];
}

/** The manifest of a run: what was trained, on what, and how far it got. */
export interface RunManifest {
  readonly kind: 'tfjs-ilrec run';
  readonly version: 1;
  /** Name of the method. */
  readonly method: string;
  /** A run that was killed still says `running`. */
  status: 'running' | 'interrupted' | 'done';
  readonly seed: number;
  readonly backend: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly data: {
    readonly folder: string;
    readonly name: string;
    readonly checksum: string;
    readonly users: number;
    readonly items: number;
    readonly interactions: number;
  };
  /** Keys of `training` that the config left open, with what the run chose. */
  chosen?: ChosenBudget;
  /** Where a run was trained for longer than it was begun for: the step, and the epochs that it had before. */
  prolonged?: readonly { readonly step: number; readonly epochs: number }[];
  /** Trainable parameters; 0 for counting methods. */
  parameters: number;
  steps: number;
  stepsPerEpoch: number;
  /**
   * Seconds of training so far, over all calls: loading, evaluations and the runs that were trained for this one
   * included. A call that was killed loses its last few.
   */
  seconds: number;
  /** Those of `seconds` in which runs inside this one's folder were trained, such as ILRec's reward. */
  needSeconds?: number;
  /** Most resident memory of the process during training and its evaluations, in bytes, without that of a GPU. */
  peakMemory?: number;
  readonly startedAt: string;
  /** Validation during training, without another model. */
  validation: RunValidation | null;
  /** Where another model counts (`evaluation.fusion`). */
  fusion?: RunFusion;
}

export async function writeManifest(folder: string, manifest: RunManifest): Promise<void> {
  await writeJsonAtomically(runPaths(folder).manifest, manifest);
}

/**
 * Reads the manifest of a run: its method, seed, backend, data, steps and best validation.
 *
 * @param folder the run folder.
 * @returns the manifest as it was last written; `status` is 'running' for a run that was killed.
 * @throws IlrecError when there is no run, or one of another version.
 * @example
 * ```ts
 * import { readManifest } from 'tfjs-ilrec/node';
 *
 * const { method, status } = await readManifest('runs/popularity');
 * console.log(method, status); // popularity done
 * ```
 */
export async function readManifest(folder: string): Promise<RunManifest> {
  const text = await readFile(runPaths(folder).manifest, 'utf8').catch(() => {
    throw new IlrecError(
      `readManifest: ${folder} must be a run folder, got no manifest.json there; make one with \`ilrec train ` +
        `--out ${folder}\``,
    );
  });
  const manifest = parseJson(text, runPaths(folder).manifest) as RunManifest;
  if (manifest.kind !== 'tfjs-ilrec run' || manifest.version !== 1) {
    throw new IlrecError(
      `readManifest: ${folder} must be a run of version 1, got "${String(manifest.kind)}" version ` +
        `${String(manifest.version)}; train it again with this release`,
    );
  }
  return manifest;
}
