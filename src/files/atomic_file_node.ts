import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Temporary files that this process is writing now. */
const inProgress = new Set<string>();

/**
 * Writes a temporary file, flushes it to disk and renames it. A reader sees the old content or the new, even if the
 * process is killed.
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = resolve(`${path}.partial-${process.pid}`);
  await mkdir(dirname(path), { recursive: true });
  inProgress.add(temporary);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    inProgress.delete(temporary);
  }
}

/** Removes temporary files that killed processes left in a folder. */
export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /\.partial-(\d+)$/.exec(name)?.[1];
    const temporary = resolve(folder, name);
    if (pid !== undefined && !inProgress.has(temporary) && !isAnotherProcess(Number(pid)))
      await rm(temporary, { force: true });
  }
}

/**
 * Whether the id belongs to another running process. A dead process may have had ours: in containers ids start again
 * from 1.
 */
function isAnotherProcess(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0); // signal 0 only tests
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Writes a value as indented JSON, atomically. */
export async function writeJsonAtomically(path: string, value: unknown): Promise<void> {
  await writeFileAtomically(path, JSON.stringify(value, null, 2) + '\n');
}
