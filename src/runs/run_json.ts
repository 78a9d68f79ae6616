import { readFile } from 'node:fs/promises';
import { IlrecError } from '../errors';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';
import type { Method, RunItem } from '../methods/method';
import type { Resolved } from '../config/shared_config';
import { parseRunConfig, type TrainConfig } from '../methods/train_config';
import { runPaths } from './run_paths';

/**
 * @param methods the user's own, whose sections the config may hold.
 * @throws IlrecError when it is missing or wrong.
 */
export async function readRunConfig(folder: string, methods: readonly Method[] = []): Promise<Resolved<TrainConfig>> {
  const path = runPaths(folder).config;
  return parseRunConfig(await readRunJson(path), path, methods);
}

export async function writeConfig(folder: string, config: TrainConfig): Promise<void> {
  await writeJsonAtomically(runPaths(folder).config, config);
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

/** @param path named in the error. @throws IlrecError when the text is not JSON. */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new IlrecError(`loadRun: ${path} must be valid JSON, got a damaged file; train the run again`);
  }
}
