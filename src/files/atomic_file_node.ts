import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Paths aside that this process is writing. */
const inProgress = new Set<string>();

/** Writes a file aside, forces it to the disk and renames it: a reader sees the old content or the new, whenever the process is killed. */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const aside = resolve(`${path}.partial-${process.pid}`);
  await mkdir(dirname(path), { recursive: true });
  inProgress.add(aside);
  try {
    const file = await open(aside, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  } finally {
    inProgress.delete(aside);
  }
}

/** Removes what killed processes have left half written in a folder. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /\.partial-(\d+)$/.exec(name)?.[1];
    const aside = resolve(folder, name);
    if (pid !== undefined && !inProgress.has(aside) && !isOther(Number(pid))) await rm(aside, { force: true });
  }
}

/** Whether another process has this id now; an earlier one may have had ours, as in containers, where ids start anew. */
function isOther(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0); // sends nothing
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Writes a value as indented JSON, atomically. */
export async function writeJsonAtomically(path: string, value: unknown): Promise<void> {
  await writeFileAtomically(path, JSON.stringify(value, null, 2) + '\n');
}
