import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';

/**
 * Writes a folder aside and renames it: a reader sees the old folder or the new one, never half of one.
 *
 * @param write is given the folder to write into; when it throws, the old folder stays and nothing else is left.
 */
export async function replaceFolder(folder: string, write: (aside: string) => Promise<void>): Promise<void> {
  const target = resolve(folder);
  const aside = `${target}.partial-${process.pid}`;
  const replaced = `${target}.replaced-${process.pid}`;
  try {
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    await write(aside);
    const earlier = await stat(target).catch(() => null);
    if (earlier !== null) await rename(target, replaced);
    try {
      await rename(aside, target);
    } catch (error) {
      if (earlier !== null) await rename(replaced, target);
      throw error;
    }
    await rm(replaced, { recursive: true, force: true });
  } catch (error) {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}
