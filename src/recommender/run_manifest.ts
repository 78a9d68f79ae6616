import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import type { PreparedData } from '../data/types';
import { IlrecError } from '../errors';
import type { BuildContext, Method, RunItem } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { VERSION } from '../version';
import type { Baselines } from './baselines';
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

/**
 * The manifest of a run that begins.
 *
 * @param folder of the dataset.
 * @param versions of what the package does not know, such as Node.
 */
export function newManifest(
  folder: string,
  { name }: Method,
  { seed }: TrainConfig,
  { report, checksum = '', name: dataName }: PreparedData,
  versions: Readonly<Record<string, string>> = {},
): RunManifest {
  const { users, items, interactions } = report;
  return {
    kind: 'tfjs-ilrec run',
    version: 1,
    method: name,
    status: 'running',
    seed,
    backend: tf.getBackend(),
    versions: {
      'tfjs-ilrec': VERSION,
      'tfjs-core': tf.version_core,
      'tfjs-layers': tfl.version_layers,
      ...versions,
    },
    data: { folder, name: dataName, checksum, users, items, interactions },
    parameters: 0,
    steps: 0,
    stepsPerEpoch: 0,
    seconds: 0,
    startedAt: new Date().toISOString(),
    validation: null,
  };
}

/** The catalogue as a run keeps it. */
export function runItems({ prepared, data }: Pick<BuildContext, 'prepared' | 'data'>): RunItem[] {
  return prepared.itemIds.map((id, item) => ({
    id,
    title: prepared.titles?.[item] ?? null,
    count: data.itemCounts[item],
    semanticId: prepared.semanticIds[item],
  }));
}

/** Writes the files of a method that must be there before it is built. */
export async function beginMethod(method: Method, context: BuildContext): Promise<void> {
  if (method.begin !== undefined) await method.begin(context);
  // the item index of older releases
  else await context.files.writeJson('tokenizer.json', context.data.tokenizer.toJSON());
}

/** Checks what a manifest.json holds. @throws IlrecError where it is another file, or one of another version. */
export function manifestOf(value: unknown, caller: string, where: string): RunManifest {
  const manifest = value as RunManifest | null;
  if (manifest?.kind === 'tfjs-ilrec run' && manifest.version === 1) return manifest;
  throw new IlrecError(
    `${caller}: ${where} must be a run of version 1, got "${String(manifest?.kind)}" version ` +
      `${String(manifest?.version)}; train it again with this release`,
  );
}
