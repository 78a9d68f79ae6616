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

/** A plain table of interactions, and optionally one of titles. */
export interface PlainFiles {
  /** CSV, TSV (by the name's ending .tsv) or JSONL (.jsonl, .ndjson) with the columns user, item and time, in any order; others are ignored. */
  interactions: TextFile;
  /** The same kinds with item and title. */
  titles?: TextFile;
  /** Dataset name; default the file name before its first dot. */
  name?: string;
}

/**
 * Reads a plain table of user, item and time.
 *
 * Columns may also be called user_id, item_id and timestamp. Time is any finite number, negative or fractional too; ties keep the file's order.
 * @throws IlrecError naming file, line, value and rule.
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

/** Item id -> title. @throws IlrecError when an id is blank or there twice. */
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
        `${READER}: ${file.name} line ${line}: item must be there only once, got ${show(id)} again; keep one of the lines`,
      );
    if (title !== null && title !== undefined && typeof title !== 'string')
      throw new IlrecError(`${READER}: ${file.name} line ${line}: title must be a text, got ${show(title)}; quote it`);
    titleOf.set(id, title?.trim() || null);
  }
  return titleOf;
}

/** The wanted columns of each row, whatever the file's kind. */
function* rowsOf(file: TextFile, columns: readonly string[][]): Generator<{ line: number; values: unknown[] }> {
  if (/\.(jsonl|ndjson)$/i.test(file.name)) {
    for (const { line, number } of linesOf(READER, file)) {
      const row = parseJsonLine(READER, file.name, line, number);
      const values = columns.map((names) => {
        const key = Object.keys(row).find((candidate) => names.includes(candidate.toLowerCase()));
        if (key === undefined)
          throw new IlrecError(
            `${READER}: ${file.name} line ${number} must have a key ${names.join(' or ')}, got ${show(Object.keys(row).join(','))}; rename or add one`,
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
