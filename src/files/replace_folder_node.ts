import { rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { makeFolder } from './make_folder_node';

/**
 * Writes a temporary folder and renames it: a reader sees the old folder or the new one, never half of one.
 *
 * @param write fills the temporary folder whose path it gets. When it throws, the temporary folder is removed and the
 * old one stays.
 */
export async function replaceFolder(folder: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(folder);
  const temporary = `${target}.partial-${process.pid}`;
  const replaced = `${target}.replaced-${process.pid}`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await makeFolder(temporary);
    await write(temporary);
    const earlier = await stat(target).catch(() => null);
    if (earlier !== null) await rename(target, replaced);
    try {
      await rename(temporary, target);
    } catch (error) {
      if (earlier !== null) await rename(replaced, target);
      throw error;
    }
    await rm(replaced, { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}
