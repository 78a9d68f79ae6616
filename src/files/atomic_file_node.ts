import { open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { IlrecError } from '../errors';
import { makeFolder } from './make_folder_node';

/** Temporary files that this process is writing now. */
const inProgress = new Set<string>();

/**
 * Writes a temporary file, flushes it to disk and renames it. A reader sees the old content or the new, even if the
 * process is killed.
 *
 * @param caller the public function that error messages name. Default none.
 * @throws IlrecError when the file cannot be written: no permission, no space, not a folder.
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array, caller?: string): Promise<void> {
  const temporary = resolve(`${path}.partial-${process.pid}`);
  inProgress.add(temporary);
  try {
    await makeFolder(dirname(path));
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unwritable(path, error, caller);
  } finally {
    inProgress.delete(temporary);
  }
}

/** The error for a path that the file system refuses to write; other errors are returned as they are. */
export function unwritable(path: string, error: unknown, caller?: string): unknown {
  if (!(error instanceof Error && 'syscall' in error)) return error;
  const [reason] = error.message.split(','); // "ENOSPC: no space left on device, write"
  const prefix = caller === undefined ? '' : `${caller}: `;
  return new IlrecError(
    `${prefix}${path} must be writable, got ${reason}; check permissions and free space, or choose another folder`,
    { cause: error },
  );
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

/** Writes a value as indented JSON, as `writeFileAtomically` writes. */
export async function writeJsonAtomically(path: string, value: unknown, caller?: string): Promise<void> {
  await writeFileAtomically(path, JSON.stringify(value, null, 2) + '\n', caller);
}
