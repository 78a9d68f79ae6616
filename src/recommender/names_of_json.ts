import { IlrecError } from '../errors';
import { quoted } from './printable';

/**
 * The ids or titles in a JSON value: a list of texts and numbers.
 *
 * @param source what errors call it, with the function that was called in front.
 * @throws IlrecError when it is no list, or a number is too large to be exact.
 */
export function namesOfJson(value: unknown, source: string): string[] {
  if (!Array.isArray(value))
    throw new IlrecError(
      `${source} must be a list of ids or titles, got ${quoted(JSON.stringify(value) ?? 'nothing')}`,
    );
  return value.map((one: unknown) => nameOfJson(one, source));
}

/** One id of a JSON value. @throws IlrecError as `namesOfJson`. */
export function nameOfJson(value: unknown, source: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return String(value);
  if (typeof value === 'number' && Number.isInteger(value))
    throw new IlrecError(`${source} must hold ids that JSON keeps exact, got the number ${value}; write it in quotes`);
  throw new IlrecError(
    `${source} must hold ids as texts or whole numbers, got ${quoted(JSON.stringify(value) ?? String(value))}`,
  );
}
