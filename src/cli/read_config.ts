import { readFile } from 'node:fs/promises';
import { parseTrainConfig, type TrainConfig } from '../config/train_config';
import { IlrecError } from '../errors';

/** Reads a config file; without one, every default holds. */
export async function readConfig(path: string | undefined): Promise<TrainConfig> {
  if (path === undefined) return parseTrainConfig({});
  const text = await readFile(path, 'utf8').catch(() => {
    throw new IlrecError(`--config must name a file that can be read, got ${path}`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new IlrecError(`--config must be JSON, got ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return parseTrainConfig(value, path);
}
