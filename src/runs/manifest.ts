import { readFile } from 'node:fs/promises';
import { IlrecError } from '../errors';
import { writeJsonAtomically } from '../files/atomic_file_node';
import { manifestOf, type RunManifest } from '../recommender/run_manifest';
import { parseJson } from './run_json';
import { runPaths } from './run_paths';

export type { RunFusion, RunManifest, RunValidation } from '../recommender/run_manifest';

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
  return manifestOf(parseJson(text, runPaths(folder).manifest), 'readManifest', folder);
}
