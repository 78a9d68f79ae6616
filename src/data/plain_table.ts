import { IlrecError } from '../errors';
import { columnOf, readCsv } from './csv_rows';
import { InteractionTable } from './interaction_table';
import { linesOf, parseJsonLine, show, type TextFile } from './text_file';
import type { InteractionData } from './types';

const READER = 'readPlain';
const USER = ['user', 'user_id', 'userid'];
const ITEM = ['item', 'item_id', 'itemid', 'id'];
const TIME = ['time', 'timestamp'];
const TITLE = ['title', 'name'];

/** A table of interactions and optionally one of titles, for `readPlain`. */
export interface PlainFiles {
  /**
   * A table with the columns user, item and time in any order; other columns are ignored. The file name decides the
   * format: .tsv is TSV, .jsonl and .ndjson are JSONL, everything else is CSV.
   */
  interactions: TextFile;
  /** A table with the columns item and title, in the same formats. */
  titles?: TextFile;
  /** Name of the dataset. Default: the name of `interactions` up to its first dot. */
  name?: string;
}

/**
 * Reads a table of user, item and time, in CSV, TSV or JSONL.
 *
 * The columns may also be named user_id, item_id and timestamp. Time is any finite number; equal times keep the order
 * of the file. A row that repeats user, item and time of an earlier one is dropped.
 *
 * @param files the texts of the tables; see `PlainFiles`.
 * @returns users and items in the order of their first rows, and one sequence per user in time order.
 * @throws IlrecError when a table is malformed or empty, a column is missing, an id is blank, a time is not a finite
 *   number, or an item has two titles; the message names the file, the line and the value.
 * @example
 * ```ts
 * import { readPlain } from 'tfjs-ilrec';
 *
 * const text = 'user,item,time\nann,tent,2\nann,boots,1\nbob,tent,5\n';
 * const { itemIds, userIds, sequences } = readPlain({ interactions: { name: 'shop.csv', text } });
 * console.log(itemIds, userIds); // [ 'tent', 'boots' ] [ 'ann', 'bob' ]
 * console.log(sequences[0]); // Int32Array(2) [ 1, 0 ]
 * ```
 */
export function readPlain({
  interactions,
  titles,
  name = interactions.name.split('.')[0],
}: PlainFiles): InteractionData {
  const table = new InteractionTable(READER, interactions.name);
  for (const {
    line,
    values: [user, item, time],
  } of rowsOf(interactions, [USER, ITEM, TIME]))
    table.add(line, user, item, time);
  return table.build(name, titles && readPlainTitles(titles));
}

/**
 * Reads a table of item and title: item id -> title, or null without one.
 *
 * @throws IlrecError when an id is blank or occurs twice, or a title is not a text.
 */
export function readPlainTitles(file: TextFile): Map<string, string | null> {
  const titleOf = new Map<string, string | null>();
  for (const {
    line,
    values: [item, title],
  } of rowsOf(file, [ITEM, TITLE])) {
    const id = typeof item === 'string' || typeof item === 'number' ? String(item).trim() : '';
    if (id === '')
      throw new IlrecError(
        `${READER}: ${file.name} line ${line}: item must be an id, got ${show(item)}; write a text or number`,
      );
    if (titleOf.has(id))
      throw new IlrecError(
        `${READER}: ${file.name} line ${line}: item must occur only once, got ${show(id)} again; keep one of the lines`,
      );
    if (title !== null && title !== undefined && typeof title !== 'string')
      throw new IlrecError(`${READER}: ${file.name} line ${line}: title must be a text, got ${show(title)}; quote it`);
    titleOf.set(id, title?.trim() || null);
  }
  return titleOf;
}

/** The wanted columns of each row, whatever the format. */
function* rowsOf(file: TextFile, columns: readonly string[][]): Generator<{ line: number; values: unknown[] }> {
  if (/\.(jsonl|ndjson)$/i.test(file.name)) {
    for (const { line, number } of linesOf(READER, file)) {
      const row = parseJsonLine(READER, file.name, line, number);
      const values = columns.map((names) => {
        const key = Object.keys(row).find((candidate) => names.includes(candidate.toLowerCase()));
        if (key === undefined)
          throw new IlrecError(
            `${READER}: ${file.name} line ${number} must have a key ${names.join(' or ')}, got ` +
              `${show(Object.keys(row).join(','))}; rename or add one`,
          );
        return row[key];
      });
      yield { line: number, values };
    }
    return;
  }
  const { header, rows } = readCsv(READER, file, /\.tsv$/i.test(file.name) ? '\t' : ',');
  const places = columns.map((names) => columnOf(READER, file.name, header, names));
  for (const { fields, line } of rows) yield { line, values: places.map((place) => fields[place]) };
}
