import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import { parseTrainConfig, type TrainConfig } from '../config/train_config';
import { IlrecError } from '../errors';
import { SemanticIdTokenizer, type SemanticIdTokenizerJson } from '../tokenizers/semantic_id_tokenizer';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';

export const METHODS = ['ilrec', 'sft', 'sasrec', 'popularity', 'markov'] as const;
export type MethodName = (typeof METHODS)[number];

/** What a run was and how it went. */
export interface RunManifest {
  readonly kind: 'tfjs-ilrec run';
  readonly version: 1;
  readonly method: MethodName;
  /** `running` is also what a killed run says. */
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
  /** Validation during training; `best` is where the kept weights come from. */
  validation: { readonly users: number; readonly bestStep: number; readonly best: EvaluationRecord | null } | null;
}

/** An item as a run keeps it, so that it can recommend without its dataset. */
export interface RunItem {
  readonly id: string;
  readonly title: string | null;
  /** Training interactions. */
  readonly count: number;
  /** Kept where the language model reads text, whose tokenizer knows no items. */
  readonly semanticId?: readonly string[];
}

/** Paths inside a run directory. */
export function runPaths(
  folder: string,
): Record<
  'manifest' | 'config' | 'tokenizer' | 'items' | 'histories' | 'log' | 'model' | 'checkpoints' | 'reward',
  string
> {
  return {
    manifest: join(folder, 'manifest.json'),
    config: join(folder, 'config.json'),
    tokenizer: join(folder, 'tokenizer.json'),
    items: join(folder, 'items.jsonl'),
    histories: join(folder, 'histories.jsonl'),
    log: join(folder, 'log.jsonl'),
    model: join(folder, 'model'),
    checkpoints: join(folder, 'checkpoints'),
    reward: join(folder, 'reward'),
  };
}

/** Whether a run was begun there. */
export function isRun(folder: string): boolean {
  return existsSync(runPaths(folder).manifest);
}

export async function writeManifest(folder: string, manifest: RunManifest): Promise<void> {
  await writeJsonAtomically(runPaths(folder).manifest, manifest);
}

/** @throws IlrecError when there is no run, or one of another version. */
export async function readManifest(folder: string): Promise<RunManifest> {
  const text = await readFile(runPaths(folder).manifest, 'utf8').catch(() => {
    throw new IlrecError(
      `readManifest: ${folder} must be a run directory, got no manifest.json there; make one with \`ilrec train --out ${folder}\``,
    );
  });
  const manifest = parseJson(text, runPaths(folder).manifest) as RunManifest;
  if (manifest.kind !== 'tfjs-ilrec run' || manifest.version !== 1) {
    throw new IlrecError(
      `readManifest: ${folder} must be a run of version 1, got "${String(manifest.kind)}" version ${String(manifest.version)}; train it again with this release`,
    );
  }
  return manifest;
}

export async function readRunConfig(folder: string): Promise<TrainConfig> {
  const path = runPaths(folder).config;
  const text = await readFile(path, 'utf8').catch(() => {
    throw new IlrecError(`readRunConfig: ${path} must be there, got none; train the run again`);
  });
  return parseTrainConfig(parseJson(text, path), path);
}

export async function writeItems(folder: string, items: readonly RunItem[]): Promise<void> {
  await writeFileAtomically(runPaths(folder).items, items.map((item) => JSON.stringify(item) + '\n').join(''));
}

export async function readItems(folder: string): Promise<RunItem[]> {
  return await readLines<RunItem>(runPaths(folder).items);
}

/** Training histories as item numbers; kept by runs of counting methods, whose model they are. */
export async function writeHistories(folder: string, histories: readonly Int32Array[]): Promise<void> {
  await writeFileAtomically(
    runPaths(folder).histories,
    histories.map((history) => JSON.stringify([...history]) + '\n').join(''),
  );
}

export async function readHistories(folder: string): Promise<number[][]> {
  return await readLines<number[]>(runPaths(folder).histories);
}

export async function readTokenizer(folder: string): Promise<SemanticIdTokenizer> {
  const path = runPaths(folder).tokenizer;
  const text = await readFile(path, 'utf8').catch(() => {
    throw new IlrecError(`readTokenizer: ${path} must be there, got none; train the run again`);
  });
  return SemanticIdTokenizer.fromJSON(parseJson(text, path) as SemanticIdTokenizerJson);
}

async function readLines<T>(path: string): Promise<T[]> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new IlrecError(`readRun: ${path} must be there, got none; train the run again`);
  });
  return text.split('\n').flatMap((line) => (line === '' ? [] : [parseJson(line, path) as T]));
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new IlrecError(`readRun: ${path} must be valid JSON, got a damaged file; train the run again`);
  }
}
