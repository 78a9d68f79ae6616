import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a file aside, forces it to the disk and renames it: a reader sees the old content or the new, whenever the process is killed. */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const aside = `${path}.partial-${process.pid}`;
  await mkdir(dirname(path), { recursive: true });
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
  }
}

/** Writes a value as indented JSON, atomically. */
export async function writeJsonAtomically(path: string, value: unknown): Promise<void> {
  await writeFileAtomically(path, JSON.stringify(value, null, 2) + '\n');
}
