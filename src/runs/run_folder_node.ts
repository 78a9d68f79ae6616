import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainConfig } from '../config/train_config';
import { IlrecError } from '../errors';
import { runPaths } from './run_directory_node';

/** Files of a run that are written before anything is trained, or while they are written. */
const BEGUN = /^(manifest|config|tokenizer|prompts)\.json(\.partial-\d+)?$|^(items|histories)\.jsonl(\.partial-\d+)?$/;

/**
 * Makes the folder of a new run. What a run that was killed while it began has left there is taken over; anything else that lies there is not a run's to replace.
 *
 * @throws IlrecError when the folder cannot be made, or holds anything else.
 */
export async function claimRunFolder(out: string, config: TrainConfig): Promise<void> {
  const found = await stat(out).catch(() => null);
  if (found !== null && !found.isDirectory())
    throw new IlrecError(`trainRun: --out must be a folder, got the file ${out}; choose another name`);
  try {
    await mkdir(out, { recursive: true });
  } catch (error) {
    throw new IlrecError(
      `trainRun: --out must be a folder that can be written, got ${out}: ${error instanceof Error ? error.message : String(error)}; choose another one`,
    );
  }
  const names = await readdir(out);
  const own =
    names.every((name) => BEGUN.test(name)) && (!names.includes('config.json') || (await holdsConfig(out, config)));
  const strange = own ? undefined : (names.find((name) => !BEGUN.test(name)) ?? 'config.json');
  if (strange !== undefined)
    throw new IlrecError(
      `trainRun: --out must be a new or empty folder, or a run, got ${out}, which holds ${strange}; choose another --out`,
    );
}

/** Removes a run that has no checkpoint and no trained reward, and its folder if nothing else is in it. */
export async function abandonRun(out: string): Promise<void> {
  const { checkpoints, reward, log } = runPaths(out);
  const trained = [...(await namesIn(checkpoints)), ...(await namesIn(reward))];
  if (trained.length > 0) return;
  for (const folder of [checkpoints, reward]) await rmdir(folder).catch(() => undefined);
  await rm(log, { force: true });
  for (const name of await namesIn(out)) if (BEGUN.test(name)) await rm(join(out, name), { force: true });
  await rmdir(out).catch(() => undefined);
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

async function holdsConfig(out: string, config: TrainConfig): Promise<boolean> {
  return (await readFile(runPaths(out).config, 'utf8')) === JSON.stringify(config, null, 2) + '\n';
}
