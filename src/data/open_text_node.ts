import { readdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { IlrecError } from '../errors';
import { readPieces } from './text_pieces_node';
import type { TextFile } from './text_file';

/**
 * Reads a text file without its byte order mark. See `readPieces` for compressed files and encodings.
 *
 * @param caller the public function that errors name.
 * @param todo the way out that the error names when the file cannot be read.
 * @throws IlrecError when the file is missing, is a folder, is not text, or has more characters than a string can.
 */
export async function openText(caller: string, path: string, todo = 'check the path'): Promise<TextFile> {
  const pieces: string[] = [];
  for await (const piece of readPieces(caller, path, { todo })) pieces.push(piece);
  try {
    return { name: basename(path), text: pieces.join('') };
  } catch {
    throw new IlrecError(`${caller}: ${path} must be UTF-8 text of less than 512 MB, got more; split it`);
  }
}

/** The names in a folder, sorted; [] when there is no such folder. */
export async function listFolder(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [] as string[])).sort();
}

export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}
