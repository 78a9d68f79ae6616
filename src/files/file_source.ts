import { IlrecError } from '../errors';

/** Where the files of a checkpoint come from: a folder, a URL, a directory that a browser's user has picked. */
export interface FileSource {
  /** For messages: the folder, the URL or the hub's id. */
  readonly name: string;
  has(file: string): Promise<boolean>;
  /** Bytes of a file. @throws IlrecError when there is none of that name. */
  size(file: string): Promise<number>;
  /**
   * Bytes of a file from `start` to `end`, which is not included; the whole file by default. Ends early where the file does.
   *
   * @throws IlrecError when there is no file of that name.
   */
  read(file: string, start?: number, end?: number): Promise<Uint8Array>;
}

/** What every source throws where a file is not there. */
export function missingFile(source: string, file: string, step = 'use a complete copy of the checkpoint'): IlrecError {
  return new IlrecError(`readFile: ${source} must have ${file}, got no such file; ${step}`);
}

/**
 * Reads a JSON object.
 *
 * @throws IlrecError when the file is missing, is no JSON or holds anything but an object.
 */
export async function readJson(source: FileSource, file: string): Promise<Record<string, unknown>> {
  const text = new TextDecoder().decode(await source.read(file));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new IlrecError(
      `readJson: ${file} of ${source.name} must be valid JSON, got "${text.slice(0, 40).replace(/\s+/g, ' ')}"; use another copy of it`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new IlrecError(
      `readJson: ${file} of ${source.name} must hold a JSON object, got ${value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value}; use another copy of it`,
    );
  }
  return value as Record<string, unknown>;
}

/** `readJson`, or null where the source has no such file. */
export async function readOptionalJson(source: FileSource, file: string): Promise<Record<string, unknown> | null> {
  return (await source.has(file)) ? await readJson(source, file) : null;
}
