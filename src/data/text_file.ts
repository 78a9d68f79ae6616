import { IlrecError } from '../errors';
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
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}...`;
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
 * Parses a file that holds one JSON object. Keys keep the file's order, except that JavaScript puts integer-like keys
 * first, ascending.
 *
 * @throws IlrecError when the text is not a JSON object or names a key twice. `JSON.parse` would silently keep the last
 *   of the two.
 */
export function parseJsonObject(reader: string, file: TextFile): Map<string, unknown> {
  const text = textOf(reader, file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const place = jsonErrorPlace(text);
    throw new IlrecError(
      `${reader}: ${file.name}${place === null ? '' : ` line ${place.line} column ${place.column}`} must be valid JSON, got ${show(place?.found)}; repair or download the file again`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new IlrecError(
      `${reader}: ${file.name} must be one JSON object, got ${show(value)}; write {"key": value, ...}`,
    );
  }
  const seen = new Map<string, number>();
  for (const { key, line } of topLevelKeys(text)) {
    const before = seen.get(key);
    if (before !== undefined)
      throw new IlrecError(
        `${reader}: ${file.name} line ${line} must not repeat a key, got ${show(key)} again (first on line ` +
          `${before}); merge the two entries`,
      );
    seen.set(key, line);
  }
  const entries = new Map<string, unknown>();
  const rawOf = new Map<string, string>();
  for (const [rawKey, entry] of Object.entries(value)) {
    const key = rawKey.trim();
    if (key === '')
      throw new IlrecError(
        `${reader}: ${file.name} must not have a blank key, got ${show(rawKey)}; name or remove the entry`,
      );
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
 * Parses one line of a JSONL file.
 *
 * @throws IlrecError when the line is not a JSON object.
 */
export function parseJsonLine(reader: string, file: string, line: string, number: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new IlrecError(
      `${reader}: ${file} line ${number} must be one JSON object, got ${show(line)}; repair the line`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new IlrecError(
      `${reader}: ${file} line ${number} must be one JSON object, got ${show(value)}; repair the line`,
    );
  }
  return value as Record<string, unknown>;
}

/** The keys of the outermost object of a valid JSON text, with their lines. */
function* topLevelKeys(text: string): Generator<{ key: string; line: number }> {
  let depth = 0;
  let line = 1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x0a) line++;
    else if (c === 0x7b || c === 0x5b)
      depth++; // { [
    else if (c === 0x7d || c === 0x5d)
      depth--; // } ]
    else if (c === 0x22) {
      const start = i;
      for (i++; text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++; // skip what a backslash escapes
      if (depth === 1 && followedByColon(text, i + 1))
        yield { key: JSON.parse(text.slice(start, i + 1)) as string, line };
    }
  }
}

function followedByColon(text: string, start: number): boolean {
  let i = start;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return text.charCodeAt(i) === 0x3a;
}
