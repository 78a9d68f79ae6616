import { IlrecError } from '../errors';
import { InteractionTable } from './interaction_table';
import { idOf, linesOf, lookAlikes, show, type TextFile } from './text_file';
import { titlePlaces } from './title_field';
import type { InteractionData } from './types';

const READER = 'readRecBole';

/** RecBole's atomic files, for `readRecBole`. */
export interface RecBoleFiles {
  /**
   * `*.inter`: separated by tabs, with `user_id:token`, `item_id:token` and `timestamp:float` in the header, in upper
   * or lower case; other columns are ignored.
   */
  inter: TextFile;
  /**
   * `*.item`: `item_id:token` and a column of titles: `title`, or else `*_title`, `name` or `*_name`, but never the name
   * of a brand, a category or the like.
   */
  item?: TextFile;
  /** Name of the dataset. Default: the name of `inter` up to its first dot. */
  name?: string;
}

/**
 * Reads RecBole's atomic files. Equal times keep the order of the file.
 *
 * @param files the texts of the files; see `RecBoleFiles`.
 * @returns users and items in the order of their first rows, and one sequence per user in time order.
 * @throws IlrecError when a header or row is malformed, a column is missing or there twice, an id is blank or a word such
 *   as NaN, a time is not a finite decimal number, or an item occurs twice in `*.item`; the message names the file, the line and the value.
 * @example
 * ```ts
 * import { readRecBole } from 'tfjs-ilrec';
 *
 * const text = 'user_id:token\titem_id:token\ttimestamp:float\n1\ttent\t20\n1\tboots\t10\n';
 * const { name, itemIds, sequences } = readRecBole({ inter: { name: 'shop.inter', text } });
 * console.log(name, itemIds, sequences[0]); // shop [ 'tent', 'boots' ] Int32Array(2) [ 1, 0 ]
 * ```
 */
export function readRecBole({ inter, item, name = inter.name.split('.')[0] }: RecBoleFiles): InteractionData {
  const rows = atomicRows(inter);
  const places = ['user_id', 'item_id', 'timestamp'].map((field) => placeOf(inter.name, rows.header, field));
  const table = new InteractionTable(READER, inter.name);
  for (const { fields, line } of rows.body) {
    const [user, item, time] = places.map((place) => fields[place]);
    checkId(inter.name, line, 'user_id', user);
    checkId(inter.name, line, 'item_id', item);
    if (!DECIMAL.test(time.trim()))
      throw new IlrecError(
        `${READER}: ${inter.name} line ${line}: time must be a finite number, got ${show(time)}; write Unix ` +
          'seconds or any number that grows with time',
      );
    table.add(line, user, item, time);
  }
  const data = table.build(name, item && readItemTitles(item));
  return {
    ...data,
    notes: [...(data.notes ?? []), ...lookAlikes('item', data.itemIds), ...lookAlikes('user', data.userIds)],
  };
}

const DECIMAL = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;

function checkId(file: string, line: number, column: string, text: string): void {
  if (idOf(text) === null)
    throw new IlrecError(
      `${READER}: ${file} line ${line}: ${column} must be an id, got ${show(text)}; write a text or a whole number`,
    );
}

function readItemTitles(file: TextFile): Map<string, string | null> | undefined {
  const { header, body } = atomicRows(file);
  const idPlace = placeOf(file.name, header, 'item_id');
  const [titlePlace, ...others] = titlePlaces(header.map(({ field }) => field));
  if (titlePlace === undefined) return undefined;
  if (others.length > 0)
    throw new IlrecError(
      `${READER}: ${file.name} line 1: the header must name only one column of titles, got ` +
        `${show([titlePlace, ...others].map((place) => header[place].field).join(' '))}; name the right one "title"`,
    );
  const titles = new Map<string, string | null>();
  for (const { fields, line } of body) {
    checkId(file.name, line, 'item_id', fields[idPlace]);
    const id = fields[idPlace].trim();
    if (titles.has(id))
      throw new IlrecError(
        `${READER}: ${file.name} line ${line}: item_id must occur only once, got ${show(id)} again; keep one of ` +
          'the lines',
      );
    titles.set(id, fields[titlePlace].trim() || null);
  }
  return titles;
}

interface AtomicRows {
  header: { field: string; type: string }[];
  body: Iterable<{ fields: string[]; line: number }>;
}

/** Reads the header and the rows of an atomic file. RecBole quotes nothing, so each tab separates two fields. */
function atomicRows(file: TextFile): AtomicRows {
  const lines = linesOf(READER, file);
  const first = (lines.next().value as { line: string }).line;
  const header = first.split('\t').map((cell) => {
    const [field, type = ''] = cell.trim().split(':');
    if (!['token', 'float', 'token_seq', 'float_seq'].includes(type)) {
      throw new IlrecError(
        `${READER}: ${file.name} line 1: each column must be named field:type, with type token, float, token_seq ` +
          `or float_seq, and separated by tabs, got ${show(cell)}; write e.g. "user_id:token"`,
      );
    }
    return { field, type };
  });
  const body = (function* (): Generator<{ fields: string[]; line: number }> {
    for (const { line, number } of lines) {
      const fields = line.split('\t');
      if (fields.length !== header.length) {
        throw new IlrecError(
          `${READER}: ${file.name} line ${number} must have ${header.length} fields like the header, got ` +
            `${fields.length}; separate them by tabs`,
        );
      }
      yield { fields, line: number };
    }
  })();
  return { header, body };
}

function placeOf(file: string, header: AtomicRows['header'], field: string): number {
  const where = `${READER}: ${file} line 1: the header must name`;
  const places = header.flatMap((column, place) => (column.field.toLowerCase() === field ? [place] : []));
  if (places.length === 0) {
    const type = field === 'timestamp' ? 'float' : 'token';
    throw new IlrecError(
      `${where} ${field}:${type}, got ${show(header.map((column) => column.field).join(' '))}; rename or add the column`,
    );
  }
  if (places.length > 1)
    throw new IlrecError(
      `${where} ${field} only once, got ${show(header.map((column) => column.field).join(' '))}; rename or remove one`,
    );
  const [place] = places;
  if (field !== 'timestamp' && header[place].type !== 'token')
    throw new IlrecError(
      `${where} ${field}:token, got ${show(`${header[place].field}:${header[place].type}`)}; ids are tokens`,
    );
  return place;
}
