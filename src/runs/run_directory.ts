import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import { IlrecError } from '../errors';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';
import type { Method, RunItem } from '../methods/method';
import { parseRunConfig, type TrainConfig } from '../methods/train_config';

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
  /** Trainable parameters; 0 for counting methods. */
  parameters: number;
  steps: number;
  stepsPerEpoch: number;
  /** Seconds of training so far, evaluations included, over all resumes. */
  seconds: number;
  readonly startedAt: string;
  /** Validation during training; `best` is the evaluation whose weights were kept. */
  validation: { readonly users: number; readonly bestStep: number; readonly best: EvaluationRecord | null } | null;
}

/** Paths inside a run folder. The folders of a method's needs lie beside them, each under its role. */
export function runPaths(
  folder: string,
): Record<'manifest' | 'config' | 'items' | 'log' | 'model' | 'checkpoints', string> {
  return {
    manifest: join(folder, 'manifest.json'),
    config: join(folder, 'config.json'),
    items: join(folder, 'items.jsonl'),
    log: join(folder, 'log.jsonl'),
    model: join(folder, 'model'),
    checkpoints: join(folder, 'checkpoints'),
  };
}

/** The folder of a run that was trained for a method's need. */
export function needFolder(folder: string, role: string): string {
  return join(folder, role);
}

/** Whether the folder holds a run. */
export function isRun(folder: string): boolean {
  return existsSync(runPaths(folder).manifest);
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

/**
 * @param methods the user's own, whose sections the config may hold.
 * @throws IlrecError when it is missing or wrong.
 */
export async function readRunConfig(folder: string, methods: readonly Method[] = []): Promise<TrainConfig> {
  const path = runPaths(folder).config;
  return parseRunConfig(await readRunJson(path), path, methods);
}

export async function writeItems(folder: string, items: readonly RunItem[]): Promise<void> {
  await writeRunLines(runPaths(folder).items, items);
}

export async function readItems(folder: string): Promise<RunItem[]> {
  return (await readRunLines(runPaths(folder).items)) as RunItem[];
}

/** Reads a JSON file of a run. @throws IlrecError when it is missing or damaged. */
export async function readRunJson(path: string): Promise<unknown> {
  return parseJson(await readRunText(path), path);
}

/** Reads a file of one JSON value per line. @throws IlrecError when it is missing or damaged. */
export async function readRunLines(path: string): Promise<unknown[]> {
  const text = await readRunText(path);
  return text.split('\n').flatMap((line) => (line === '' ? [] : [parseJson(line, path)]));
}

/** Writes one JSON value per line, the whole file or none of it. */
export async function writeRunLines(path: string, values: readonly unknown[]): Promise<void> {
  await writeFileAtomically(path, values.map((value) => JSON.stringify(value) + '\n').join(''));
}

async function readRunText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => {
    throw new IlrecError(`loadRun: ${path} is missing; train the run again`);
  });
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new IlrecError(`loadRun: ${path} must be valid JSON, got a damaged file; train the run again`);
  }
}
