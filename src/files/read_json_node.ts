import { readFile } from 'node:fs/promises';
import { parseUserJson } from './json_error_place';
import { IlrecError } from '../errors';

/**
 * Reads a JSON file that a user wrote.
 *
 * @param what name of the file in error messages, for example the option that it was given with.
 * @throws IlrecError when it cannot be read, or is not valid JSON; the message gives line and column.
 */
export async function readJsonFile(path: string, what: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new IlrecError(`${what} must be a file that can be read, got ${path}; check the path`);
  });
  return parseUserJson(text, path, what);
}
