import { IlrecError } from '../errors';
import { type ExactJson, parseExactJson } from '../files/exact_json';
import { jsonErrorPlace } from '../files/json_error_place';

/** The text of a file. The readers take texts and open no files, so they also run in a browser. */
export interface TextFile {
  /** The file's name: errors show it, and its ending may decide the format. */
  name: string;
  /** The whole content, decoded. */
  text: string;
}

const LONGEST_SHOWN = 60;

/** Formats a value for an error message: quoted, on one line, shortened when long. */
export function show(value: unknown): string {
  const text = spell(value, LONGEST_SHOWN + 1);
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}...`;
}

/** The start of a value as JSON, at least `room` characters if there are so many; reads no more of it than that. */
function spell(value: unknown, room: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, room));
  if (typeof value !== 'object' || value === null) return String(value);
  const isList = Array.isArray(value);
  let text = '';
  for (const key in value) {
    if (text.length >= room) break;
    if (text !== '') text += ',';
    if (!isList) text += `${spell(key, room)}:`;
    text += spell((value as Record<string, unknown>)[key], room - text.length - 1);
  }
  return isList ? `[${text}]` : `{${text}}`;
}

/** What programs write where a value is missing, and numbers that are not decimal. */
const NO_ID =
  /^(?:nan|NaN|NAN|NaT|<NA>|null|Null|NULL|None|undefined|true|True|TRUE|false|False|FALSE|[-+]?(?:inf|Inf|Infinity)|[-+]?0[xX][0-9a-fA-F]{1,16})$/;

/**
 * The id that a value names: a text without surrounding space, or a whole number in digits.
 *
 * @returns null for anything else, and for words that stand for a missing value, such as NaN, null or true.
 */
export function idOf(value: unknown): string | null {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : null;
  if (typeof value !== 'string') return null;
  const id = value.trim();
  return id === '' || NO_ID.test(id) ? null : id;
}

/** A note that counts the ids that had surrounding space; none for 0. */
export function spaceNote(files: string, count: number): string[] {
  return count === 0 ? [] : [`${count} ids of ${files} had surrounding space, which was removed.`];
}

/** A note about ids such as 1 and 1.0, which look like one but are read as two; none when there are no such. */
export function lookAlikes(what: string, ids: Iterable<string>): string[] {
  const known = new Set(ids);
  for (const id of known) {
    const whole = /^(-?\d+)\.0+$/.exec(id)?.[1];
    if (whole !== undefined && known.has(whole))
      return [`The ${what} ids ${whole} and ${id} are text and therefore two; write them alike if they are one.`];
  }
  return [];
}

/**
 * The text without its byte order mark.
 *
 * @throws IlrecError when only white space is left.
 */
export function textOf(reader: string, file: TextFile): string {
  const text = file.text.charCodeAt(0) === 0xfeff ? file.text.slice(1) : file.text;
  if (text.trim() === '')
    throw new IlrecError(
      `${reader}: ${file.name} must not be empty, got ${file.text.length} characters; write the file again`,
    );
  return text;
}

/**
 * The lines of a file with their numbers, counted from 1. Line ends and a byte order mark are removed, and blank lines
 * are skipped.
 */
export function* linesOf(reader: string, file: TextFile): Generator<{ line: string; number: number }> {
  const text = textOf(reader, file);
  let start = 0;
  for (let number = 1; start <= text.length; number++) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, text.charCodeAt(end - 1) === 0x0d && end > start ? end - 1 : end);
    if (line.trim() !== '') yield { line, number };
    start = end + 1;
  }
}

/**
 * Parses a file that holds one JSON object from ids to values. Keys keep the file's order, except that JavaScript puts
 * integer-like keys first, ascending. Numbers are exact; see `parseExactJson`.
 *
 * @throws IlrecError when the text is not a JSON object, an object in it names a key twice, or a key is no id.
 */
export function parseJsonObject(reader: string, file: TextFile): Map<string, unknown> {
  const text = textOf(reader, file);
  let json: ExactJson;
  try {
    json = parseExactJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const place = jsonErrorPlace(text);
    throw new IlrecError(
      `${reader}: ${file.name}${place === null ? '' : ` line ${place.line} column ${place.column}`} must be valid JSON, got ${show(place?.found)}; repair or download the file again`,
    );
  }
  const { value, repeated } = json;
  if (!isObject(value))
    throw new IlrecError(
      `${reader}: ${file.name} must be one JSON object, got ${show(value)}; write {"key": value, ...}`,
    );
  if (repeated !== null)
    throw new IlrecError(
      `${reader}: ${file.name} line ${repeated.line} must not repeat a key, got ${show(repeated.key)} again (first ` +
        `on line ${repeated.firstLine}); merge the two entries`,
    );
  const entries = new Map<string, unknown>();
  const rawOf = new Map<string, string>();
  for (const [rawKey, entry] of Object.entries(value)) {
    const key = idOf(rawKey);
    if (key === null) {
      const rule = rawKey.trim() === '' ? 'not have a blank key' : 'have an id as each key';
      throw new IlrecError(`${reader}: ${file.name} must ${rule}, got ${show(rawKey)}; name or remove the entry`);
    }
    const other = rawOf.get(key);
    if (other !== undefined) {
      throw new IlrecError(
        `${reader}: ${file.name} must not have keys that differ only by surrounding space, got ${show(other)} ` +
          `and ${show(rawKey)}; merge the two entries`,
      );
    }
    rawOf.set(key, rawKey);
    entries.set(key, entry);
  }
  return entries;
}

/**
 * Parses one line of a JSONL file. A number that a double cannot hold becomes a text of its digits; see
 * `parseExactJson`.
 *
 * @throws IlrecError when the line is not a JSON object, or an object in it names a key twice.
 */
export function parseJsonLine(reader: string, file: string, line: string, number: number): Record<string, unknown> {
  let json: ExactJson;
  try {
    json = parseExactJson(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new IlrecError(
      `${reader}: ${file} line ${number} must be one JSON object, got ${show(line)}; repair the line`,
    );
  }
  const { value, repeated } = json;
  if (!isObject(value))
    throw new IlrecError(
      `${reader}: ${file} line ${number} must be one JSON object, got ${show(value)}; repair the line`,
    );
  if (repeated !== null)
    throw new IlrecError(
      `${reader}: ${file} line ${number} must not repeat a key, got ${show(repeated.key)} again; remove one of them`,
    );
  return value;
}

/**
 * The value of a field that a row may write in upper or lower case; undefined without one.
 *
 * @param where start of the error: who reads, the file and the line.
 * @throws IlrecError when several fields fit.
 */
export function fieldOf(where: string, row: Readonly<Record<string, unknown>>, name: string): unknown {
  const keys = Object.keys(row).filter((key) => key.trim().toLowerCase() === name);
  if (keys.length > 1)
    throw new IlrecError(`${where} must have only one field ${name}, got ${show(keys)}; remove the others`);
  return keys.length === 0 ? undefined : row[keys[0]];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
