import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { IlrecError } from '../errors';
import { type DuckDb, named, openDuckDb, quoted } from './duckdb_node';
import { type DuckDbTable, groupByDuckDb } from './duckdb_tables_node';
import {
  type PlainOptions,
  PlainReader,
  type RowReader,
  type TableForm,
  type TitleOptions,
  TitleReader,
} from './plain_table';
import { formOf, readPieces } from './text_pieces_node';
import type { InteractionData } from './types';

/** A table of interactions and optionally one of titles, as files. */
export interface PlainPaths extends PlainOptions {
  interactions: string;
  titles?: string;
  /** Name of the dataset. Default: the name of `interactions` up to its first dot. */
  name?: string;
  /** What a published dataset has that a table of one's own has not. */
  form?: TableForm;
  /** The same for its titles. */
  titleForm?: TitleOptions & { latin1?: boolean };
  /** Bytes from which on DuckDB reads a table, where it is installed. Default 256 MB. */
  largeFrom?: number;
}

const READER = 'readPlain';
const LARGE = 1 << 28; // bytes: below, DuckDB saves neither time nor memory
const ROLES = ['user', 'item', 'time', 'rating'] as const;

/**
 * Reads tables as `readPlain` does, of any size: a file is read piece by piece, and a large one by DuckDB, where it is
 * installed. Both give the same. Parquet always needs DuckDB.
 *
 * @param caller the public function that errors of opening a file name.
 */
export async function readPlainPaths(
  caller: string,
  { interactions, titles, name, form, titleForm = {}, largeFrom = LARGE, ...options }: PlainPaths,
): Promise<InteractionData> {
  const file = basename(interactions);
  const newReader = (): PlainReader => new PlainReader(READER, file, { ...options, ...form });
  const reader =
    (await readLarge(caller, interactions, newReader, options.minRating, largeFrom)) ??
    (await feed(newReader(), caller, interactions));
  const dataset = name ?? file.split('.')[0];
  if (titles === undefined) return reader.build(dataset);
  const { latin1, ...titleOptions } = titleForm;
  const ofTitles = new TitleReader(READER, basename(titles), { columns: options.columns, ...titleOptions });
  await feed(ofTitles, caller, titles, { todo: 'check the path of the titles', latin1 });
  return reader.build(dataset, ofTitles.titles);
}

/** Gives a reader all rows of a file. */
async function feed<R extends RowReader>(
  reader: R,
  caller: string,
  path: string,
  options?: Parameters<typeof readPieces>[2],
): Promise<R> {
  const db = (await formOf(path)) === 'parquet' ? await openDuckDb() : null;
  if (db !== null) {
    try {
      await feedParquet(db, reader, path);
    } catch (error) {
      if (error instanceof IlrecError) throw error;
      const what = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
      throw new IlrecError(`${caller}: ${path} must be a whole Parquet file, got "${what}"; write it again`);
    } finally {
      await db.close();
    }
    return reader;
  }
  for await (const piece of readPieces(caller, path, options)) reader.push(piece, false);
  reader.push('', true);
  return reader;
}

async function feedParquet(db: DuckDb, reader: RowReader, path: string): Promise<void> {
  const from = `read_parquet(${quoted(path)})`;
  const found = reader.rows.findIn(await namesOf(db, from));
  const columns = found.map((name) => (name === undefined ? 'NULL' : `${named(name)}::VARCHAR`));
  let line = 0;
  for await (const values of db.columns(`SELECT ${columns.join(', ')} FROM ${from}`))
    for (let row = 0; row < values[0].length; row++)
      reader.add({ line: ++line, values: values.map((column) => column[row]) });
}

/** A reader that took a large table from DuckDB; null where it must be read piece by piece. */
async function readLarge(
  caller: string,
  path: string,
  newReader: () => PlainReader,
  minRating: number | undefined,
  largeFrom: number,
): Promise<PlainReader | null> {
  const size = (await stat(path).catch(() => null))?.size ?? 0;
  if (size < largeFrom || /[*?[\]{}]/.test(path)) return null; // DuckDB takes these for patterns
  const db = await openDuckDb();
  if (db === null) return null;
  try {
    const reader = newReader();
    const table = await largeTable(db, caller, path, reader);
    const rows = table && (await groupByDuckDb(db, { ...table, minRating }));
    return rows !== null && reader.take(rows) ? reader : null;
  } catch {
    return null; // the other way also has the errors of the file, with lines
  } finally {
    await db.close();
  }
}

/** The table for DuckDB; null where only `PlainReader` can read it. */
async function largeTable(db: DuckDb, caller: string, path: string, reader: PlainReader): Promise<DuckDbTable | null> {
  const { rows } = reader;
  const form = await formOf(path);
  let from = `read_parquet(${quoted(path)})`;
  let expressions: readonly string[];
  if (form === 'parquet') {
    const names = await namesOf(db, from);
    rows.findIn(names);
    expressions = names.map((name) => `${named(name)}::VARCHAR`);
  } else {
    for await (const piece of readPieces(caller, path)) {
      if (rows.names.length === 0) for (const _ of rows.push(piece, false)) break;
      if (piece.includes('\0')) return null; // DuckDB takes it for text
    }
    if (rows.names.length === 0) for (const _ of rows.push('', true)) break;
    if (rows.dialect === null || rows.firstLine !== 1) return null;
    expressions = rows.names.map((_, i) => `c${i}`);
    from = csvTable(path, form, rows.dialect, expressions, rows.hasHeader);
  }
  if (rows.has('event') || rows.has('title')) return null;
  const columns = Object.fromEntries(
    ROLES.filter((role) => rows.has(role)).map((role) => [role, expressions[rows.placeOf(role)]]),
  ) as DuckDbTable['columns'];
  return { from, columns };
}

function csvTable(
  path: string,
  form: string,
  { delimiter, quotes }: { delimiter: string; quotes?: boolean },
  columns: readonly string[],
  header: boolean,
): string {
  const quote = quoted(quotes === false ? '' : '"');
  const types = columns.map((name) => `${name}: 'VARCHAR'`).join(', ');
  const compression = form === 'text' ? 'none' : form;
  return (
    `read_csv(${quoted(path)}, auto_detect = false, header = ${header}, delim = ${quoted(delimiter)}, quote = ${quote}, ` +
    `escape = ${quote}, columns = {${types}}, compression = ${quoted(compression)}, strict_mode = true, ` +
    'null_padding = false, max_line_size = 8388608)'
  );
}

async function namesOf(db: DuckDb, from: string): Promise<string[]> {
  const names: string[] = [];
  for await (const [column] of db.columns(`DESCRIBE SELECT * FROM ${from}`)) names.push(...(column as string[]));
  return names;
}
