import { readFile, readdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { IlrecError } from '../errors';
import type { TextFile } from './text_file';

/**
 * Reads a UTF-8 file without its byte order mark.
 *
 * @param caller the public function that errors name.
 * @param todo the way out that the error names when the file cannot be read.
 * @throws IlrecError when the file is missing, is a folder, or is not UTF-8.
 */
export async function openText(caller: string, path: string, todo = 'check the path'): Promise<TextFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new IlrecError(`${caller}: ${path} must be a readable file, got ${codeOf(error)}; ${todo}`);
  }
  try {
    return { name: basename(path), text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    throw new IlrecError(
      `${caller}: ${path} must be UTF-8 text of less than 512 MB, got other bytes or more; convert or split it`,
    );
  }
}

/** The names in a folder, sorted; [] when there is no such folder. */
export async function listFolder(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [] as string[])).sort();
}

export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ENOENT' ? 'nothing at that path' : code === 'EISDIR' ? 'a folder' : code;
}
