import { readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TrainConfig } from '../methods/train_config';
import { IlrecError } from '../errors';
import { makeFolder } from '../files/make_folder_node';
import { isRun, runPaths } from './run_paths';

/** What is left of a run that was killed before its config was written whole. The config comes first. */
const UNWRITTEN = /^config\.json\.partial-\d+$/;

/** What a run writes before anything is trained. Its method may add files under names of its own. */
const BEGUN = /\.jsonl?(\.partial-\d+)?$/;

/** The run's own files among these. */
const OWN = /^((manifest|config)\.json|items\.jsonl)(\.partial-\d+)?$/;

/**
 * Makes the folder of a new run. Reuses what a killed run with the same config left.
 *
 * @throws IlrecError when the folder cannot be made, or holds anything else.
 */
export async function claimRunFolder(out: string, config: TrainConfig): Promise<void> {
  const found = await stat(out).catch(() => null);
  if (found !== null && !found.isDirectory())
    throw new IlrecError(`trainRun: out must be a folder, got the file ${out}; choose another name`);
  try {
    await makeFolder(out);
  } catch (error) {
    throw new IlrecError(
      `trainRun: out must be a folder that can be written, got ${out}: ` +
        `${error instanceof Error ? error.message : String(error)}; choose another one`,
    );
  }
  const names = await readdir(out);
  const isOurs = names.includes('config.json') && (await readFile(runPaths(out).config, 'utf8')) === configText(config);
  const strange = names.find((name) => !(isOurs ? BEGUN : UNWRITTEN).test(name));
  if (strange !== undefined)
    throw new IlrecError(
      `trainRun: out must be a new or empty folder, or a run, got ${out}, which holds ${strange}; choose ` +
        'another folder',
    );
}

/** What `ilrec compare` and `ilrec study` write beside the runs. */
const WRITTEN = /^(comparison\.(json|csv|tex)|study\.(json|csv|tex)|report\.html|curve\.svg)(\.partial-\d+)?$/;

/**
 * Refuses a folder for runs that is in use for something else. One that holds a comparison or a study may hold more.
 *
 * @param caller the public function that errors name.
 * @param folders of the runs to come, in which a killed run may have left something, and of the dataset.
 * @throws IlrecError when `out` is no folder, a run itself, or holds anything but runs and what is written beside them.
 */
export async function claimFolderOfRuns(
  caller: 'compareMethods' | 'studyMethods',
  out: string,
  folders: readonly string[],
): Promise<void> {
  const what = caller === 'compareMethods' ? 'a comparison' : 'a study';
  const found = await stat(out).catch(() => null);
  if (found !== null && !found.isDirectory())
    throw new IlrecError(`${caller}: out must be a folder, got the file ${out}; choose another name`);
  const names = await namesIn(out);
  if (names.includes('comparison.json') || names.includes('study.json')) return;
  const known = folders.map((folder) => resolve(folder));
  const isOurs = (name: string): boolean =>
    WRITTEN.test(name) || known.includes(resolve(out, name)) || isRun(join(out, name));
  const strange = isRun(out) ? 'manifest.json' : names.find((name) => !isOurs(name));
  if (strange !== undefined)
    throw new IlrecError(
      `${caller}: out must be a new or empty folder, or that of ${what}, got ${out}, which holds ` +
        `${strange}; choose another folder`,
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
    if (OWN.test(name) || written.has(name)) await rm(join(out, name), { recursive: true, force: true });
  await rmdir(out).catch(() => undefined);
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

/** The config as `writeJsonAtomically` writes it. */
function configText(config: TrainConfig): string {
  return JSON.stringify(config, null, 2) + '\n';
}
