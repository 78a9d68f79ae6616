import { IlrecError } from '../errors';
import { columnOf, readCsv } from './csv_rows';
import { parsePythonList } from './python_list';
import { show, type TextFile } from './text_file';

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
}

/**
 * Reads a CSV table of windows.
 *
 * @param reader the public function that errors name.
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
  for (const { fields, line } of rows) {
    const where = `${reader}: ${file.name} line ${line}`;
    const user = fields[places.user].trim();
    const item = fields[places.item].trim();
    if (user === '')
      throw new IlrecError(
        `${where}: ${columns.user} must not be blank, got ${show(fields[places.user])}; name the user`,
      );
    if (item === '')
      throw new IlrecError(
        `${where}: ${columns.target} must not be blank, got ${show(fields[places.item])}; name the item`,
      );
    let history: string[];
    try {
      history = parsePythonList(fields[places.history]).map(String);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new IlrecError(
        `${where}: ${columns.history} must be a Python list such as [12, 7] (${error.message}), got ` +
          `${show(fields[places.history])}; write the list again`,
      );
    }
    yield {
      user,
      items: [...history, item],
      line,
      semanticId: places.semanticId < 0 ? '' : fields[places.semanticId].trim(),
      title: places.title < 0 ? '' : fields[places.title].trim(),
    };
  }
}
