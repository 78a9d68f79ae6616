import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and the missing ones above it. Node's own `recursive` tries for ever where a file system such as /proc
 * says that a folder cannot be made because it is not there.
 *
 * @throws Error of Node when a folder cannot be made, or the path is a file.
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); (await kindOf(folder)) === 'missing'; folder = dirname(folder)) missing.push(folder);
  if (missing.length === 0 && (await kindOf(resolve(path))) === 'other') await mkdir(path);
  for (const folder of missing.reverse())
    await mkdir(folder).catch(async (error: unknown) => {
      if ((await kindOf(folder)) !== 'folder') throw error; // else another process was faster
    });
}

async function kindOf(path: string): Promise<'folder' | 'other' | 'missing'> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return found === null ? 'missing' : found.isDirectory() ? 'folder' : 'other';
}
