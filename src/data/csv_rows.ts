import { IlrecError } from '../errors';
import { show, textOf, type TextFile } from './text_file';

/** One row of a CSV file: its fields and the line it starts on, counted from 1. */
export interface CsvRow {
  fields: string[];
  line: number;
}

/**
 * Reads CSV (RFC 4180). Quoted fields may hold delimiters, line breaks and doubled quotes. Lines end with LF, CRLF or
 * CR, and a byte order mark is ignored. A quote inside an unquoted field is plain text, as in `12" pipe`. Blank lines
 * are skipped.
 *
 * @param reader the public function that errors name.
 * @param delimiter one character; default a comma.
 * @returns the header's names, trimmed, and a generator of the rows.
 * @throws IlrecError when a quote is never closed, when text follows a closing quote, or when a row is not as wide as
 *   the header.
 */
export function readCsv(
  reader: string,
  file: TextFile,
  delimiter = ',',
): { header: string[]; rows: Generator<CsvRow> } {
  const all = csvRows(reader, file, delimiter);
  const header = (all.next().value as CsvRow).fields.map((name) => name.trim());
  const rows = (function* (): Generator<CsvRow> {
    for (const row of all) {
      if (row.fields.length !== header.length) {
        throw new IlrecError(
          `${reader}: ${file.name} line ${row.line} must have ${header.length} fields like the header, got ${row.fields.length}; quote fields that hold a ${delimiter === '\t' ? 'tab' : `"${delimiter}"`}`,
        );
      }
      yield row;
    }
  })();
  return { header, rows };
}

function* csvRows(reader: string, file: TextFile, delimiter: string): Generator<CsvRow> {
  const text = textOf(reader, file);
  const breaks = new RegExp(`[${delimiter}\\r\\n]`, 'g');
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const row: CsvRow = { fields: [], line };
    let blank = true;
    for (let more = true; more;) {
      if (text[at] === '"') {
        const { value, end } = quoted(reader, file.name, text, at, line, delimiter);
        row.fields.push(value);
        line += newlinesIn(text, at, end);
        at = end;
        blank = false;
      } else {
        breaks.lastIndex = at;
        const end = breaks.exec(text)?.index ?? text.length;
        row.fields.push(text.slice(at, end));
        blank &&= text.slice(at, end).trim() === '';
        at = end;
      }
      more = text[at] === delimiter;
      if (more) at++;
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at++;
    at++;
    line++;
    if (!(blank && row.fields.length === 1)) yield row;
  }
}

/** Reads the quoted field that starts at `start`. `end` is the position behind its closing quote. */
function quoted(
  reader: string,
  file: string,
  text: string,
  start: number,
  line: number,
  delimiter: string,
): { value: string; end: number } {
  let value = '';
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0)
      throw new IlrecError(
        `${reader}: ${file} line ${line} must close every quote, got one that runs to the end of the file: ` +
          `${show(text.slice(start, start + 40))}; double each quote inside a quoted field`,
      );
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] === '"') {
      value += '"';
      at++;
      continue;
    }
    if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') {
      throw new IlrecError(
        `${reader}: ${file} line ${line + newlinesIn(text, start, at)} must have "${delimiter}" or the line's ` +
          `end after a closing quote, got ${show(text.slice(at, at + 20))}; double each quote inside a quoted field`,
      );
    }
    return { value, end: at };
  }
}

/** Counts the line breaks in text[start..end); CRLF counts as one. */
function newlinesIn(text: string, start: number, end: number): number {
  let count = 0;
  for (let i = start; i < end; i++) if (text[i] === '\n' || (text[i] === '\r' && text[i + 1] !== '\n')) count++;
  return count;
}

/**
 * Finds a column of the header by any of its names, in any case.
 *
 * @returns its index; -1 when it is missing and optional.
 * @throws IlrecError when it is missing and not optional, or when two columns fit.
 */
export function columnOf(
  reader: string,
  file: string,
  header: readonly string[],
  names: readonly string[],
  optional = false,
): number {
  const places = header.flatMap((name, place) => (names.includes(name.toLowerCase()) ? [place] : []));
  if (places.length === 1) return places[0];
  if (places.length === 0 && optional) return -1;
  const rule =
    places.length === 0
      ? `must name a column ${names.join(' or ')}`
      : `must name only one column ${names.join(' or ')}`;
  throw new IlrecError(
    `${reader}: ${file} line 1: the header ${rule}, got ${show(header.join(','))}; rename or ` +
      `${places.length === 0 ? 'add' : 'remove'} one`,
  );
}
