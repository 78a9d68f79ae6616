import { IlrecError } from '../errors';
import {
  checkColumns,
  COLUMN_ROLES,
  type ColumnRole,
  isColumnList,
  NO_COLUMN,
  type TableColumns,
} from './column_roles';
import type { CsvDialect } from './csv_rows';
import { detached } from './id_column';
import { type GroupedRows, InteractionTable } from './interaction_table';
import { type TableRow, TableRows, type TableRowsOptions } from './table_rows';
import { show, type TextFile } from './text_file';
import type { InteractionData } from './types';

const READER = 'readPlain';

/** Which rows and columns of a table `readPlain` takes. */
export interface PlainOptions {
  /**
   * Which column is what: names to look for in the header, or, for a file without a header, all columns in order. See
   * `TableColumns`. Default: the usual names, in any case.
   */
  columns?: TableColumns;
  /** Takes only rows with at least this rating; the table must have a column of ratings. Default: all rows. */
  minRating?: number;
  /** Takes only rows with one of these events; the table must have a column of events. Default: all rows. */
  events?: readonly string[];
}

/** A table of interactions and optionally one of titles, for `readPlain`. */
export interface PlainFiles extends PlainOptions {
  /**
   * A table with columns of users, items and perhaps times, in any order; other columns are ignored. A file named
   * .jsonl, .ndjson or .json, or one that starts with `{`, has one JSON object per line; any other is CSV.
   */
  interactions: TextFile;
  /** A table with columns of items and titles, in the same formats. */
  titles?: TextFile;
  /** Name of the dataset. Default: the name of `interactions` up to its first dot. */
  name?: string;
}

/**
 * Reads a table of users, items and times: CSV or JSONL.
 *
 * CSV may be separated by commas, semicolons, tabs, `|` or `::`, which is found out, and quoted as in RFC 4180. Columns
 * are found by their usual names, such as user_id, customer_id, movieId, sku, timestamp or order_date, or by `columns`.
 *
 * Times are numbers that grow, or dates such as 2021-03-04 12:00:00, 04.03.2021 or 3/4/2021, in one form per file.
 * Unix times may be seconds, milliseconds, microseconds or nanoseconds. Equal times keep the order of the file, and so
 * does a table without times. A row that repeats user, item and time of an earlier one is dropped.
 *
 * @param files the texts of the tables, and what to take of them; see `PlainFiles`.
 * @returns users and items in the order of their first rows, and one sequence per user in time order.
 * @throws IlrecError when a table is malformed or empty, a column is missing or there twice, an id is blank, times have
 *   no common form, or an item has two titles; the message names the file, the line and the value.
 * @example
 * ```ts
 * import { readPlain } from 'tfjs-ilrec';
 *
 * const text = 'customer_id;sku;order_date\nann;tent;2021-03-05\nann;boots;2021-03-04\nbob;tent;2021-03-09\n';
 * const { itemIds, userIds, sequences } = readPlain({ interactions: { name: 'shop.csv', text } });
 * console.log(itemIds, userIds); // [ 'tent', 'boots' ] [ 'ann', 'bob' ]
 * console.log(sequences[0]); // Int32Array(2) [ 1, 0 ]
 * ```
 */
export function readPlain({
  interactions,
  titles,
  name = interactions.name.split('.')[0],
  ...options
}: PlainFiles): InteractionData {
  const reader = new PlainReader(READER, interactions.name, options);
  reader.push(interactions.text, true);
  if (titles === undefined) return reader.build(name);
  const ofTitles = new TitleReader(READER, titles.name, { columns: options.columns });
  ofTitles.push(titles.text, true);
  return reader.build(name, ofTitles.titles);
}

/** What a published dataset has that a table of one's own has not. */
export interface TableForm {
  dialect?: CsvDialect;
  parseLine?: TableRowsOptions['parseLine'];
  /** Whether the usual names do where a name of the columns is missing. Default false. */
  lenient?: boolean;
  /** Whether users have names of their own choice: any text is one, and rows with a blank one are left out. */
  userNames?: boolean;
}

/** Takes the rows of a table. */
export interface RowReader {
  readonly rows: TableRows;
  /** Adds the rows that end in what was pushed so far. The last piece ends the file. */
  push(text: string, last: boolean): void;
  /** Adds one row. */
  add(row: TableRow): void;
}

/** Reads a table of interactions piece by piece. */
export class PlainReader implements RowReader {
  readonly rows: TableRows;
  /** Place of each role in the values of a row, -1 where it does not count. */
  private readonly places: Readonly<Record<ColumnRole, number>>;
  private table: InteractionTable | null = null;
  private belowRating = 0;
  private nameless = 0;
  private readonly otherEvents = new Map<string, number>();

  /** @param reader the public function that errors name. */
  constructor(
    private readonly reader: string,
    private readonly file: string,
    private readonly options: PlainOptions & TableForm,
  ) {
    const { columns, minRating, events, dialect, parseLine, lenient } = options;
    const required: ColumnRole[] = ['user', 'item'];
    if (columns !== undefined) checkColumns(reader, columns, required);
    if (minRating !== undefined && !Number.isFinite(minRating))
      throw new IlrecError(`${reader}: minRating must be a number, got ${minRating}; 4 of 5 is usual`);
    if (events?.length === 0)
      throw new IlrecError(`${reader}: events must name an event, got none; leave it out to take all`);
    if (minRating !== undefined) required.push('rating');
    if (events !== undefined) required.push('event');
    const roles = COLUMN_ROLES.filter((role) => (role !== 'rating' && role !== 'event') || required.includes(role));
    this.places = Object.fromEntries(COLUMN_ROLES.map((role) => [role, roles.indexOf(role)])) as Record<
      ColumnRole,
      number
    >;
    this.rows = new TableRows({ reader, file, roles, required, columns, dialect, parseLine, lenient });
  }

  push(text: string, last: boolean): void {
    for (const row of this.rows.push(text, last)) this.add(row);
  }

  /** @throws IlrecError when an id, a time or a rating is none. */
  add(row: TableRow): void {
    const { line, values } = row;
    const { user, item, time, rating, event, title } = this.places;
    const { minRating, events, userNames = false } = this.options;
    if (userNames && String(values[user] ?? '').trim() === '') {
      this.nameless++;
      return;
    }
    if (events !== undefined && !this.isAsked(values[event], events)) return;
    if (minRating !== undefined && this.ratingOf(row, values[rating]) < minRating) {
      this.belowRating++;
      return;
    }
    this.table ??= this.newTable();
    this.table.add(line, values[user], values[item], values[time], values[title]);
  }

  /**
   * Takes all rows at once, instead of `add`.
   *
   * @returns false where they are not as `add` would take them.
   * @throws IlrecError when an id is blank or no id.
   */
  take(rows: GroupedRows & { belowRating: number }): boolean {
    this.table = this.newTable();
    this.belowRating = rows.belowRating;
    return this.table.take(rows);
  }

  private newTable(): InteractionTable {
    const { userNames: anyText } = this.options;
    const floats = this.rows.isTyped ? 'note' : 'join';
    return new InteractionTable(this.reader, this.file, { timed: this.rows.has('time'), anyText, floats });
  }

  /** @throws IlrecError when no row is left. */
  build(name: string, titleOf?: ReadonlyMap<string, string | null>): InteractionData {
    const { minRating, events } = this.options;
    const others = [...this.otherEvents.values()].reduce((sum, count) => sum + count, 0);
    if (this.table === null && others + this.belowRating > 0) {
      const asked = [
        ...(events === undefined ? [] : [`one of the events ${events.join(', ')}`]),
        ...(minRating === undefined ? [] : [`a rating of at least ${minRating}`]),
      ].join(' and ');
      const seen = [...this.otherEvents.keys()].slice(0, 10);
      throw new IlrecError(
        `${this.reader}: ${this.file} must have a row with ${asked}, got none` +
          `${seen.length === 0 ? '' : `, only ${seen.join(', ')}`}; ask for less`,
      );
    }
    const data = (this.table ?? this.newTable()).build(name, titleOf);
    const notes = [...(data.notes ?? [])];
    if (this.belowRating > 0)
      notes.push(`${this.belowRating} rows of ${this.file} with a rating below ${minRating} were left out.`);
    if (this.nameless > 0) notes.push(`${this.nameless} rows of ${this.file} without a user were left out.`);
    if (others > 0)
      notes.push(
        `${others} rows of ${this.file} with other events were left out: ${[...this.otherEvents.keys()].join(', ')}.`,
      );
    if (!this.rows.has('time'))
      notes.push(
        `${this.file} has no column of times that is known, so its rows are taken in the order of the file. Columns: ` +
          `${this.rows.names.join(', ')}.`,
      );
    return { ...data, notes };
  }

  private isAsked(event: unknown, events: readonly string[]): boolean {
    const name = String(event).trim();
    if (events.includes(name)) return true;
    if (this.otherEvents.size < 20 || this.otherEvents.has(name))
      this.otherEvents.set(name, (this.otherEvents.get(name) ?? 0) + 1);
    else this.otherEvents.set('others', (this.otherEvents.get('others') ?? 0) + 1);
    return false;
  }

  private ratingOf({ line }: TableRow, value: unknown): number {
    const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
    if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text))
      throw new IlrecError(
        `${this.reader}: ${this.file} line ${line}: rating must be a number, got ${show(value)}; correct it, or leave ` +
          'minRating out',
      );
    return Number(text);
  }
}

/** How `TitleReader` reads. */
export interface TitleOptions extends TableForm {
  /** Those of the interactions, whose names of item and title may also be here. */
  columns?: TableColumns;
  /** Those of this table. */
  titleColumns?: TableColumns;
  /** Takes the first of several titles of an item, and skips rows without an id. Default: both are refused. */
  tolerant?: boolean;
}

/** Reads a table of items and titles piece by piece. */
export class TitleReader implements RowReader {
  readonly rows: TableRows;
  /** Item id -> title, null without one. */
  readonly titles = new Map<string, string | null>();

  constructor(
    private readonly reader: string,
    private readonly file: string,
    private readonly options: TitleOptions = {},
  ) {
    const { columns = {}, titleColumns, tolerant = false, lenient = titleColumns === undefined, ...form } = options;
    const { item, title } = isColumnList(columns) ? {} : columns;
    const shared = { ...(item && { item }), ...(title && title !== NO_COLUMN && { title }) };
    const roles: ColumnRole[] = ['item', 'title'];
    const required = tolerant ? [] : roles;
    this.rows = new TableRows({ reader, file, roles, required, columns: titleColumns ?? shared, lenient, ...form });
  }

  push(text: string, last: boolean): void {
    for (const row of this.rows.push(text, last)) this.add(row);
  }

  /** @throws IlrecError when an id is blank or occurs twice, or a title is not a text. */
  add({ line, values: [item, title] }: TableRow): void {
    const where = `${this.reader}: ${this.file} line ${line}`;
    const id = typeof item === 'string' || typeof item === 'number' ? String(item).trim() : '';
    if (this.options.tolerant && (id === '' || this.titles.has(id))) return;
    if (id === '') throw new IlrecError(`${where}: item must be an id, got ${show(item)}; write a text or number`);
    if (this.titles.has(id))
      throw new IlrecError(`${where}: item must occur only once, got ${show(id)} again; keep one of the lines`);
    if (title !== null && title !== undefined && typeof title !== 'string')
      throw new IlrecError(`${where}: title must be a text, got ${show(title)}; quote it`);
    this.titles.set(detached(id), title?.trim() ? detached(title.trim()) : null);
  }
}
