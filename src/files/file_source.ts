import { IlrecError } from '../errors';

/** Where the files of a checkpoint come from: a folder, a URL, or a directory that a user picked in the browser. */
export interface FileSource {
  /** The folder, URL or hub id, as error messages call it. */
  readonly name: string;
  /** Whether the source has this file. */
  has(file: string): Promise<boolean>;
  /**
   * The size of a file in bytes.
   *
   * @throws IlrecError when there is no such file.
   */
  size(file: string): Promise<number>;
  /**
   * Reads a file, or the bytes from `start` up to but not including `end`. The result is shorter where the file ends
   * earlier.
   *
   * @throws IlrecError when there is no such file.
   */
  read(file: string, start?: number, end?: number): Promise<Uint8Array>;
}

/** The error for a missing file; `caller` is the public function that the message names. */
export function missingFile(caller: string, source: string, file: string): IlrecError {
  return new IlrecError(
    `${caller}: ${source} must have ${file}, got no such file; use a complete copy of the checkpoint`,
  );
}

/** How the text file begins that Git LFS leaves in place of a large file. */
const LFS_POINTER = 'version https://git-lfs.github.com/spec/';
export const LFS_POINTER_BYTES = LFS_POINTER.length;

/**
 * Refuses the pointer of a file that Git LFS has not downloaded.
 *
 * @param start the first bytes of the file, at least `LFS_POINTER_BYTES` if it has so many.
 * @param caller the public function that error messages name.
 * @throws IlrecError when the file is a pointer.
 */
export function refuseLfsPointer(start: Uint8Array, source: string, file: string, caller: string): void {
  if (new TextDecoder().decode(start.subarray(0, LFS_POINTER_BYTES)) === LFS_POINTER)
    throw new IlrecError(
      `${caller}: ${file} of ${source} must be the file itself, got the pointer that Git LFS leaves in its place; run ` +
        '"git lfs pull" in the clone, or download the file',
    );
}

/**
 * Reads a JSON object.
 *
 * @param caller the public function that error messages name.
 * @throws IlrecError when the file is missing, is not valid JSON or does not hold an object, or Git LFS has not downloaded it.
 */
export async function readJson(source: FileSource, file: string, caller: string): Promise<Record<string, unknown>> {
  if (!(await source.has(file))) throw missingFile(caller, source.name, file);
  const bytes = await source.read(file);
  refuseLfsPointer(bytes, source.name, file, caller);
  const text = new TextDecoder().decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new IlrecError(
      `${caller}: ${file} of ${source.name} must be valid JSON, got "${text.slice(0, 40).replace(/\s+/g, ' ')}"; ` +
        'use another copy of it',
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new IlrecError(
      `${caller}: ${file} of ${source.name} must hold a JSON object, got ` +
        `${value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value}; use another copy of it`,
    );
  }
  return value as Record<string, unknown>;
}

/** `readJson`, or null when the source has no such file. */
export async function readOptionalJson(
  source: FileSource,
  file: string,
  caller: string,
): Promise<Record<string, unknown> | null> {
  return (await source.has(file)) ? await readJson(source, file, caller) : null;
}
