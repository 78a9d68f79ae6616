import { IlrecError } from '../errors';
import {
  type ColumnRole,
  type ColumnSearch,
  findColumns,
  isColumnList,
  isUsualName,
  NO_COLUMN,
  type TableColumns,
} from './column_roles';
import { checkWidth, CsvParser, type CsvDialect, type CsvRow } from './csv_rows';
import { sniffDelimiter } from './csv_delimiter';
import { parseJsonLine, show } from './text_file';

/** How `TableRows` reads a file. */
export interface TableRowsOptions extends Omit<ColumnSearch, 'columns'> {
  readonly columns?: TableColumns;
  /** How fields are separated and quoted. Default: the delimiter is found, and `"` quotes unless it is `::`. */
  readonly dialect?: CsvDialect;
  /** Reads one line of a file of objects. Default JSON, where the file's name or its first character says so. */
  readonly parseLine?: typeof parseJsonLine;
}

/** One row of a table: a value per role, undefined where the table has no such column. */
export interface TableRow {
  readonly line: number;
  readonly values: readonly unknown[];
}

const SAMPLE = 1 << 16; // characters that decide the format
const SLICE = 1 << 18; // characters that are split at once
const LONGEST_LINE = 1 << 26; // characters of a line of JSON

/** Reads a table with named columns piece by piece: CSV with any usual delimiter, or an object per line. */
export class TableRows {
  private readonly search: ColumnSearch;
  private pending = '';
  private read: ((text: string, last: boolean) => Generator<TableRow>) | null = null;
  /** How fields are separated, once rows of CSV were read. */
  dialect: CsvDialect | null = null;
  /** Whether the values have types, as in JSON, where the text "1.0" is no number. */
  isTyped = false;
  /** The line of the first row that is not blank, once rows of CSV were read. */
  firstLine = 0;
  /** The names of the columns, once rows were read. */
  names: readonly string[] = [];
  /** Place of each role in `names`, -1 where there is none. */
  places: readonly number[] = [];

  constructor(private readonly options: TableRowsOptions) {
    const { columns, ...search } = options;
    this.search = isColumnList(columns) ? search : { ...search, columns };
  }

  /**
   * The rows that end in what was pushed so far. The last piece ends the file.
   *
   * @throws IlrecError when the table is malformed or empty, or when a column is missing or there twice.
   */
  *push(text: string, last: boolean): Generator<TableRow> {
    if (this.read !== null) return yield* this.read(text, last);
    this.pending += text;
    if (this.pending.length < SAMPLE && !last) return;
    const whole = this.pending.charCodeAt(0) === 0xfeff ? this.pending.slice(1) : this.pending;
    this.pending = '';
    if (last && whole.trim() === '')
      throw new IlrecError(`${this.at()} must not be empty, got ${whole.length} characters; write the file again`);
    this.isTyped = this.isOfObjects(whole);
    this.read = this.isTyped ? this.objects() : this.fields(whole, last);
    yield* this.read(whole, last);
  }

  /** Whether the table has the role; known once rows were read. */
  has(role: ColumnRole): boolean {
    return this.placeOf(role) >= 0;
  }

  /** The place of a role in `names`, -1 where there is none; known once rows were read. */
  placeOf(role: ColumnRole): number {
    return this.places[this.options.roles.indexOf(role)] ?? -1;
  }

  /** Whether the names stand in the first row. */
  get hasHeader(): boolean {
    return !isColumnList(this.options.columns);
  }

  /**
   * Finds the columns in names that another program has read.
   *
   * @returns the names of the roles, undefined where there is no such column.
   */
  findIn(names: readonly string[]): (string | undefined)[] {
    if (isColumnList(this.options.columns))
      throw new IlrecError(
        `${this.at()}: columns must map names, because the table has them, got a list; write --columns ` +
          'user=NAME,item=NAME',
      );
    [this.names, this.places] = [names, findColumns(this.search, names, 1)];
    return this.places.map((place) => (place < 0 ? undefined : names[place]));
  }

  private at(line?: number): string {
    return `${this.options.reader}: ${this.options.file}${line === undefined ? '' : ` line ${line}`}`;
  }

  private isOfObjects(text: string): boolean {
    const { file, parseLine } = this.options;
    const start = text.trimStart()[0];
    const named = /\.(jsonl|ndjson|json)(\.gz|\.zst)?$/i.test(file);
    if (named && start === '[')
      throw new IlrecError(
        `${this.at(1)} must be one JSON object per line, got a list; write JSONL: each object on a line of its own`,
      );
    return parseLine !== undefined || named || start === '{';
  }

  /** Reads objects, one per line. Their keys may come in any order, but all must name the same columns. */
  private objects(): (text: string, last: boolean) => Generator<TableRow> {
    const { reader, file, roles, parseLine = parseJsonLine } = this.options;
    if (isColumnList(this.options.columns))
      throw new IlrecError(
        `${this.at()}: columns must map names, because the rows have keys, got a list; write --columns ` +
          'user=KEY,item=KEY',
      );
    const time = roles.indexOf('time');
    const known = new Map<string, (string | undefined)[]>();
    let rest = '';
    let number = 0;
    const keysOf = (row: object, line: number): (string | undefined)[] => {
      const keys = Object.keys(row);
      const signature = JSON.stringify(keys);
      const before = known.get(signature);
      if (before !== undefined) return before;
      const places = findColumns(this.search, keys, line, 'keys');
      if (known.size === 0) [this.names, this.places] = [keys, places];
      if (places[time] < 0 !== this.places[time] < 0)
        throw new IlrecError(
          `${this.at(line)} must have a key of the time like all lines or like none, got ${show(keys.join(','))}; ` +
            'add or remove it',
        );
      const names = places.map((place) => (place < 0 ? undefined : keys[place]));
      if (known.size < 1000) known.set(signature, names);
      return names;
    };
    const slice = function* (text: string, last: boolean): Generator<TableRow> {
      const lines = (rest + text).split('\n');
      rest = last ? '' : (lines.pop() as string);
      for (const line of lines) {
        number++;
        if (line.trim() === '') continue;
        const row = parseLine(reader, file, line.endsWith('\r') ? line.slice(0, -1) : line, number);
        yield { line: number, values: keysOf(row, number).map((key) => (key === undefined ? undefined : row[key])) };
      }
    };
    return function* (this: TableRows, text: string, last: boolean): Generator<TableRow> {
      for (let at = 0; at === 0 || at < text.length; at += SLICE)
        yield* slice(text.slice(at, at + SLICE), last && at + SLICE >= text.length);
      if (rest.length > LONGEST_LINE)
        throw new IlrecError(
          `${this.at(number + 1)} must be one object, got more than ${LONGEST_LINE} characters; write JSONL: each ` +
            'object on a line of its own',
        );
    }.bind(this);
  }

  /** Reads fields between delimiters. */
  private fields(sample: string, last: boolean): (text: string, last: boolean) => Generator<TableRow> {
    const { reader, file, roles, columns } = this.options;
    const told = /^"?sep=(.)"?(?:\r\n|\r|\n)/i.exec(sample); // a line that Excel reads and writes
    const body = told === null ? sample : sample.slice(told[0].length);
    const dialect = this.options.dialect ?? {
      delimiter: told?.[1] ?? sniffDelimiter(body, last, file, (rows) => this.fits(rows)),
    };
    this.dialect = {
      quotes: dialect.delimiter !== '::', // as MovieLens writes, where titles hold quotes
      ...dialect,
      line: told === null ? 1 : 2,
    };
    const parser = new CsvParser(reader, file, this.dialect);
    let skip = told?.[0].length ?? 0;
    let started = false;
    return function* (this: TableRows, text: string, end: boolean): Generator<TableRow> {
      const rows = parser.push(skip > 0 ? text.slice(skip) : text, end);
      skip = 0;
      for (const row of rows) {
        const isFirst = !started;
        if (isFirst) {
          started = true;
          this.firstLine = row.line;
          this.names = isColumnList(columns) ? columns : row.fields.map((name) => name.trim());
          this.places = isColumnList(columns)
            ? roles.map((role) => columns.indexOf(role))
            : findColumns(this.search, this.names, row.line);
        }
        const like = isColumnList(columns) ? 'columns' : 'the header';
        checkWidth(reader, file, row, this.names.length, like, dialect.delimiter);
        if (isFirst && !isColumnList(columns)) continue;
        if (isFirst) this.checkNoHeader(row);
        yield { line: row.line, values: this.places.map((place) => (place < 0 ? undefined : row.fields[place])) };
      }
    }.bind(this);
  }

  /** Whether the first rows of a candidate delimiter have the columns that are looked for. */
  private fits([first, ...others]: readonly CsvRow[]): boolean {
    const { columns } = this.options;
    if (isColumnList(columns))
      return [first, ...others].every(({ fields }) => fields.length === columns.length) && columns.length > 1;
    try {
      return findColumns(this.search, first.fields, first.line).length > 0;
    } catch (error) {
      if (error instanceof IlrecError) return false;
      throw error;
    }
  }

  /** A list of columns says that there is no header; a header would be read as a row. */
  private checkNoHeader({ fields, line }: CsvRow): void {
    const columns = this.options.columns as readonly string[];
    const isHeader = columns.every((role, i) => role === NO_COLUMN || isUsualName(role as ColumnRole, fields[i]));
    if (isHeader)
      throw new IlrecError(
        `${this.at(line)} must be a row, because columns is a list, got the header ${show(fields.join(','))}; leave ` +
          'columns out, or map names as in --columns item=sku',
      );
  }
}
