// the build for browsers, which runs everywhere: the other one requires node's streams, where bundlers stop
import Papa from 'papaparse/papaparse.min.js';
import type { ParseError, ParseResult, ParseStepResult } from 'papaparse';
import { IlrecError } from '../errors';
import { show, textOf, type TextFile } from './text_file';

/** One row of a CSV file: its fields and the line it starts on, counted from 1. */
export interface CsvRow {
  fields: string[];
  line: number;
}

/** How a CSV file separates and quotes its fields. */
export interface CsvDialect {
  /** One or more characters. */
  readonly delimiter: string;
  /** Whether `"` quotes a field. Default true; false takes every quote as text. */
  readonly quotes?: boolean;
  /** The line that the text starts on. Default 1. */
  readonly line?: number;
}

const SLICE = 1 << 18; // characters that are parsed at once
const LONGEST_ROW = 1 << 23; // characters; a quote that is open for longer is a stray one

interface RawRow {
  readonly fields: string[];
  /** The end of the row in its batch; only of a batch with quotes or odd line breaks. */
  readonly stop?: number;
  readonly fault?: ParseError;
}

/**
 * Parses CSV (RFC 4180) piece by piece. Quoted fields may hold delimiters, line breaks and doubled quotes, and spaces
 * may stand before and after the quotes. Lines end with LF, CRLF or CR. A quote inside an unquoted field is plain text,
 * as in `12" pipe`. Blank lines are skipped.
 */
export class CsvParser {
  private newline: '\n' | '\r' | null = null;
  private rest = '';
  private line: number;

  /** @param reader the public function that errors name. */
  constructor(
    private readonly reader: string,
    private readonly file: string,
    private readonly dialect: CsvDialect,
  ) {
    this.line = dialect.line ?? 1;
  }

  /**
   * The rows that end in what was pushed so far. The last piece ends the file.
   *
   * @throws IlrecError when a quote is never closed, when text follows a closing quote, or when a character does not
   *   belong into a table.
   */
  *push(text: string, last: boolean): Generator<CsvRow> {
    let at = 0;
    do {
      yield* this.parse(text.slice(at, at + SLICE), last && at + SLICE >= text.length);
      at += SLICE;
    } while (at < text.length);
  }

  private *parse(text: string, last: boolean): Generator<CsvRow> {
    const batch = this.rest + text;
    if (this.newline === null && !last && batch.length < SLICE && !batch.includes('\n')) {
      this.rest = batch; // too little to tell CR from CRLF
      return;
    }
    // CRLF is read as LF, and the CR is taken off: exports of several systems mix the two
    this.newline ??= batch.includes('\n') || !batch.includes('\r') ? '\n' : '\r';
    const zero = batch.indexOf('\0');
    if (zero >= 0)
      throw new IlrecError(
        `${this.reader}: ${this.file} line ${this.line + breaksIn(batch.slice(0, zero))} must be text, got a NUL ` +
          'character; save the file as UTF-8',
      );
    let end = 0;
    for (const { fields, stop, fault } of this.rawRows(batch, last)) {
      const line = this.line++;
      if (fault !== undefined) throw this.quoteError(fault, batch, line);
      const raw = stop === undefined ? null : batch.slice(end, stop);
      const final = fields.length - 1;
      const isBare = (): boolean => raw === null || raw.endsWith(fields[final]) || raw.endsWith(`${fields[final]}\n`);
      if (this.newline === '\n' && fields[final].endsWith('\r') && isBare()) fields[final] = fields[final].slice(0, -1);
      if (raw !== null) this.clean(fields, raw, line);
      end = stop ?? 0;
      if (!(final === 0 && fields[0].trim() === '')) yield { fields, line };
    }
    if (this.rest.length > LONGEST_ROW) {
      const index = this.rest.indexOf('"') + 1;
      throw this.quoteError({ type: 'Quotes', code: 'MissingQuotes', message: '', index }, this.rest, this.line);
    }
  }

  /** The rows of a batch as papaparse has them. Those that may need a second look tell where they end. */
  private rawRows(batch: string, last: boolean): RawRow[] {
    const { delimiter, quotes = true } = this.dialect;
    const newline = this.newline as '\n' | '\r';
    const rows: RawRow[] = [];
    const step = ({ data, errors, meta }: ParseStepResult<string[]>): void => {
      rows.push({ fields: (data as unknown as string[][])[0], stop: meta.cursor, fault: errors[0] });
    };
    const special = (quotes && batch.includes('"')) || /\r(?!\n)/.test(batch) || newline === '\r';
    const parser = new Papa.Parser({
      delimiter,
      newline,
      fastMode: quotes ? undefined : true,
      ...(special && { step }),
    });
    const { data, meta } = parser.parse(batch, 0, !last) as ParseResult<string[]>;
    this.rest = last ? '' : batch.slice(meta.cursor);
    return special ? rows : data.map((fields) => ({ fields }));
  }

  /** Counts line breaks within fields, and takes off the quotes of fields that start with a space. */
  private clean(fields: string[], raw: string, line: number): void {
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i];
      const isQuoted = (): boolean => raw.includes(`"${field.replaceAll('"', '""')}"`);
      if (/[\r\n]/.test(field)) {
        if (this.dialect.quotes === false || !isQuoted())
          throw new IlrecError(
            `${this.reader}: ${this.file} line ${line} must end with the line breaks of the other lines, got ` +
              `${show(field)}; use one kind of line break, or quote the field`,
          );
        this.line += breaksIn(field);
      }
      if (this.dialect.quotes === false || !/^\s+"/.test(field) || isQuoted()) continue;
      const inner = /^\s+"((?:[^"]|"")*)"\s*$/.exec(field);
      if (inner === null)
        throw new IlrecError(
          `${this.reader}: ${this.file} line ${line} must close a quote in its field, got ${show(field)}; remove the ` +
            'space before the quote, or double each quote inside a quoted field',
        );
      fields[i] = inner[1].replaceAll('""', '"');
    }
  }

  private quoteError({ code, index = 0 }: ParseError, text: string, line: number): IlrecError {
    const where = `${this.reader}: ${this.file} line ${line}`;
    if (code === 'MissingQuotes')
      return new IlrecError(
        `${where} must close every quote, got one that runs to the end of the file: ` +
          `${show(text.slice(index - 1, index + 39))}; double each quote inside a quoted field`,
      );
    const body = /^(?:[^"]|"")*"/.exec(text.slice(index))?.[0] ?? '';
    const from = index + body.length;
    return new IlrecError(
      `${where} must have ${show(this.dialect.delimiter)} or the line's end after a closing quote, got ` +
        `${show(text.slice(from, from + 20))}; double each quote inside a quoted field`,
    );
  }
}

/** Counts line breaks; CRLF counts as one. */
function breaksIn(text: string): number {
  return text.match(/\r\n|\r|\n/g)?.length ?? 0;
}

/**
 * Reads a CSV text as `CsvParser` does. A byte order mark is ignored.
 *
 * @param reader the public function that errors name.
 * @param delimiter default a comma.
 * @returns the header's names, trimmed, and a generator of the rows.
 * @throws IlrecError when `CsvParser` refuses the text, or when a row is not as wide as the header.
 */
export function readCsv(
  reader: string,
  file: TextFile,
  delimiter = ',',
): { header: string[]; rows: Generator<CsvRow> } {
  const all = new CsvParser(reader, file.name, { delimiter }).push(textOf(reader, file), true);
  const header = (all.next().value as CsvRow).fields.map((name) => name.trim());
  const rows = (function* (): Generator<CsvRow> {
    for (const row of all) {
      checkWidth(reader, file.name, row, header.length, 'the header', delimiter);
      yield row;
    }
  })();
  return { header, rows };
}

/**
 * Checks that a row has as many fields as its model.
 *
 * @param like what says how many fields there are, such as "the header".
 * @throws IlrecError when it has more or fewer.
 */
export function checkWidth(
  reader: string,
  file: string,
  { fields, line }: CsvRow,
  width: number,
  like: string,
  delimiter: string,
): void {
  if (fields.length === width) return;
  throw new IlrecError(
    `${reader}: ${file} line ${line} must have ${width} fields like ${like}, got ${fields.length}; quote fields that ` +
      `hold a ${delimiter === '\t' ? 'tab' : `"${delimiter}"`}`,
  );
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
