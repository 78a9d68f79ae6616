import { IlrecError } from '../errors';
import { columnOf, type CsvRow, readCsv } from './csv_rows';
import { parsePythonList, type PythonValue } from './python_list';
import { idOf, show, type TextFile } from './text_file';

/** Names of the columns of a table of windows. */
export interface WindowColumns {
  /** The user. */
  readonly user: string;
  /** The items before the target, oldest first, as a Python list. */
  readonly history: string;
  /** The item that followed. */
  readonly target: string;
  /** The target's title; the table may lack it. */
  readonly title?: string;
  /** The target's semantic id; the table may lack it. */
  readonly semanticId?: string;
}

/** A row of a table of windows. */
export interface WindowRow {
  readonly user: string;
  /** The history and then the target. */
  readonly items: string[];
  /** '' where there is none. */
  readonly semanticId: string;
  /** '' where there is none. */
  readonly title: string;
  readonly line: number;
  /** How many of its ids had surrounding space, which was removed. */
  readonly spaced: number;
}

/**
 * Reads a CSV table of windows.
 *
 * Where all items of a file are whole numbers, a target such as 5.0 is the item 5, as pandas writes a column with gaps.
 *
 * @param reader the public function that errors name.
 * @throws IlrecError when a column is missing, a list is malformed, or an id is blank, a fraction or a word such as NaN
 *   that stands for a missing value.
 */
export function* windowRows(reader: string, file: TextFile, columns: WindowColumns): Generator<WindowRow> {
  const { header, rows } = readCsv(reader, file);
  const place = (column: string): number => columnOf(reader, file.name, header, [column.toLowerCase()]);
  const placeIfAny = (column: string | undefined): number =>
    column === undefined ? -1 : columnOf(reader, file.name, header, [column.toLowerCase()], true);
  const places = {
    user: place(columns.user),
    history: place(columns.history),
    item: place(columns.target),
    semanticId: placeIfAny(columns.semanticId),
    title: placeIfAny(columns.title),
  };
  const idAt = ({ fields, line }: CsvRow, at: number, column: string): string => {
    const where = `${reader}: ${file.name} line ${line}: ${column}`;
    if (fields[at].trim() === '')
      throw new IlrecError(
        `${where} must not be blank, got ${show(fields[at])}; name the ${column === columns.user ? 'user' : 'item'}`,
      );
    return idOf(fields[at]) ?? noId(where, fields[at]);
  };
  const historyOf = ({ fields, line }: CsvRow): PythonValue[] => {
    try {
      return parsePythonList(fields[places.history]);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new IlrecError(
        `${reader}: ${file.name} line ${line}: ${columns.history} must be a Python list such as [12, 7] ` +
          `(${error.message}), got ${show(fields[places.history])}; write the list again`,
      );
    }
  };
  const floats =
    /\d\.0\b/.test(file.text) &&
    everyRow(readCsv(reader, file).rows, (row) =>
      [row.fields[places.item].trim().replace(/\.0+$/, ''), ...historyOf(row)].every((id) => WHOLE.test(String(id))),
    );
  for (const row of rows) {
    const { fields, line } = row;
    const user = idAt(row, places.user, columns.user);
    const item = idAt(row, places.item, columns.target);
    const history = historyOf(row);
    const where = `${reader}: ${file.name} line ${line}: each item of ${columns.history}`;
    const items = [...history.map((id) => idOf(id) ?? noId(where, id)), floats ? item.replace(/\.0+$/, '') : item];
    yield {
      user,
      items,
      line,
      spaced: [fields[places.user], fields[places.item], ...history].filter(
        (id) => typeof id === 'string' && id !== id.trim(),
      ).length,
      semanticId: places.semanticId < 0 ? '' : fields[places.semanticId].trim(),
      title: places.title < 0 ? '' : fields[places.title].trim(),
    };
  }
}

const WHOLE = /^-?(?:0|[1-9]\d*)$/;

function everyRow(rows: Iterable<CsvRow>, holds: (row: CsvRow) => boolean): boolean {
  for (const row of rows) if (!holds(row)) return false;
  return true;
}

function noId(where: string, value: unknown): never {
  throw new IlrecError(`${where} must be an id, got ${show(value)}; write a text or a whole number`);
}
