import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Method } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { IlrecError } from '../errors';
import { readRunConfig, runPaths } from './run_directory';

/** Files that every run writes before anything is trained, or while it writes them. */
const BEGUN = /^(manifest|config|tokenizer|prompts)\.json(\.partial-\d+)?$|^(items|histories)\.jsonl(\.partial-\d+)?$/;

/** A method may write files of its own, too. */
const LINES_OR_JSON = /\.jsonl?(\.partial-\d+)?$/;

/**
 * Makes the folder of a new run. It takes over what a run with the same config left that was killed at its beginning,
 * and refuses a folder that holds anything else.
 *
 * @throws IlrecError when the folder cannot be made, or holds anything else.
 */
export async function claimRunFolder(out: string, config: TrainConfig, methods: readonly Method[] = []): Promise<void> {
  const found = await stat(out).catch(() => null);
  if (found !== null && !found.isDirectory())
    throw new IlrecError(`trainRun: --out must be a folder, got the file ${out}; choose another name`);
  try {
    await mkdir(out, { recursive: true });
  } catch (error) {
    throw new IlrecError(
      `trainRun: --out must be a folder that can be written, got ${out}: ` +
        `${error instanceof Error ? error.message : String(error)}; choose another one`,
    );
  }
  const names = await readdir(out);
  const begun = names.includes('config.json');
  const isOurs = begun && (await holdsConfig(out, config, methods));
  const strange = names.find(
    (name) => !(isOurs ? LINES_OR_JSON : BEGUN).test(name) || (name === 'config.json' && !isOurs),
  );
  if (strange !== undefined)
    throw new IlrecError(
      `trainRun: --out must be a new or empty folder, or a run, got ${out}, which holds ${strange}; choose ` +
        'another --out',
    );
}

/**
 * Removes a run in which nothing was trained, and its folder if nothing else is in it.
 *
 * @param roles of the method's needs; a run with a trained need is kept.
 * @param written names of files that the method wrote.
 */
export async function abandonRun(out: string, roles: readonly string[], written: ReadonlySet<string>): Promise<void> {
  const { checkpoints, log } = runPaths(out);
  const folders = [checkpoints, ...roles.map((role) => join(out, role))];
  for (const folder of folders) if ((await namesIn(folder)).length > 0) return;
  for (const folder of folders) await rmdir(folder).catch(() => undefined);
  await rm(log, { force: true });
  for (const name of await namesIn(out))
    if (BEGUN.test(name) || written.has(name)) await rm(join(out, name), { force: true });
  await rmdir(out).catch(() => undefined);
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

/** Whether the config that lies there asks the same; an older release may have written it. */
async function holdsConfig(out: string, config: TrainConfig, methods: readonly Method[]): Promise<boolean> {
  const found = await readRunConfig(out, methods).catch(() => null);
  return isDeepStrictEqual(asWritten(found), asWritten(config));
}

/** As a file holds it: without undefined fields. */
function asWritten(config: TrainConfig | null): unknown {
  return JSON.parse(JSON.stringify(config));
}
