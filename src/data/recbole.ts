import { IlrecError } from '../errors';
import { InteractionTable } from './interaction_table';
import { linesOf, show, type TextFile } from './text_file';
import type { InteractionData } from './types';

const READER = 'readRecBole';

/** RecBole's atomic files. */
export interface RecBoleFiles {
  /** `*.inter`: tab-separated, header `user_id:token	item_id:token	timestamp:float`; other columns are ignored. */
  inter: TextFile;
  /** `*.item`: `item_id:token` and a title: a column whose name holds "title" or "name". */
  item?: TextFile;
  /** Dataset name; default the file name before its first dot. */
  name?: string;
}

/**
 * Reads RecBole's atomic files. Time ties keep the file's order.
 * @throws IlrecError naming file, line, value and rule.
 */
export function readRecBole({ inter, item, name = inter.name.split('.')[0] }: RecBoleFiles): InteractionData {
  const rows = atomicRows(inter);
  const places = ['user_id', 'item_id', 'timestamp'].map((field) => placeOf(inter.name, rows.header, field));
  const table = new InteractionTable(READER, inter.name);
  for (const { fields, line } of rows.body) table.add(line, fields[places[0]], fields[places[1]], fields[places[2]]);
  return table.build(name, item && readItemTitles(item));
}

function readItemTitles(file: TextFile): Map<string, string | null> | undefined {
  const { header, body } = atomicRows(file);
  const idPlace = placeOf(file.name, header, 'item_id');
  const titlePlace = header.findIndex(({ field }) => /title|name/i.test(field));
  if (titlePlace < 0) return undefined;
  const titles = new Map<string, string | null>();
  for (const { fields, line } of body) {
    const id = fields[idPlace].trim();
    if (titles.has(id))
      throw new IlrecError(
        `${READER}: ${file.name} line ${line}: item_id must be there only once, got ${show(id)} again; keep one of the lines`,
      );
    titles.set(id, fields[titlePlace].trim() || null);
  }
  return titles;
}

interface AtomicRows {
  header: { field: string; type: string }[];
  body: Iterable<{ fields: string[]; line: number }>;
}

/** RecBole quotes nothing: a line is cut at its tabs. */
function atomicRows(file: TextFile): AtomicRows {
  const lines = linesOf(READER, file);
  const first = (lines.next().value as { line: string }).line;
  const header = first.split('\t').map((cell) => {
    const [field, type = ''] = cell.trim().split(':');
    if (!['token', 'float', 'token_seq', 'float_seq'].includes(type)) {
      throw new IlrecError(
        `${READER}: ${file.name} line 1: each column must be named as field:type with type token, float, token_seq or float_seq and a tab between, got ${show(cell)}; write e.g. "user_id:token"`,
      );
    }
    return { field, type };
  });
  const body = (function* (): Generator<{ fields: string[]; line: number }> {
    for (const { line, number } of lines) {
      const fields = line.split('\t');
      if (fields.length !== header.length) {
        throw new IlrecError(
          `${READER}: ${file.name} line ${number} must have ${header.length} fields like the header, got ${fields.length}; separate them by tabs`,
        );
      }
      yield { fields, line: number };
    }
  })();
  return { header, body };
}

function placeOf(file: string, header: AtomicRows['header'], field: string): number {
  const place = header.findIndex((column) => column.field === field);
  if (place < 0) {
    const type = field === 'timestamp' ? 'float' : 'token';
    throw new IlrecError(
      `${READER}: ${file} line 1: the header must name ${field}:${type}, got ${show(header.map((column) => column.field).join(' '))}; rename or add the column`,
    );
  }
  return place;
}
