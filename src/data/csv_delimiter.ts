import { IlrecError } from '../errors';
import { CsvParser, type CsvRow } from './csv_rows';

const DELIMITERS = [',', ';', '\t', '|', '::'];
const ROWS = 20; // rows that decide

/**
 * Finds the delimiter of a CSV text: the first with which the rows fit, or else the one that gives the most fields.
 *
 * @param sample the start of the file.
 * @param whole whether the sample is the whole file.
 * @param fits whether rows have the columns that are looked for.
 */
export function sniffDelimiter(
  sample: string,
  whole: boolean,
  file: string,
  fits: (rows: readonly CsvRow[]) => boolean,
): string {
  const first = /\.tsv(\.gz|\.zst)?$/i.test(file) ? '\t' : ',';
  const candidates = [first, ...DELIMITERS.filter((delimiter) => delimiter !== first)].map((delimiter) => ({
    delimiter,
    rows: firstRows(sample, whole, delimiter),
  }));
  const found = candidates.find(({ rows }) => rows.length > 0 && fits(rows));
  if (found !== undefined) return found.delimiter;
  const width = ({ rows }: { rows: CsvRow[] }): number =>
    rows.every(({ fields }) => fields.length === rows[0].fields.length) ? (rows[0]?.fields.length ?? 0) : 0;
  return candidates.reduce((best, other) => (width(other) > width(best) ? other : best)).delimiter;
}

/** The rows before the first fault, if there is one. */
function firstRows(sample: string, whole: boolean, delimiter: string): CsvRow[] {
  const rows: CsvRow[] = [];
  try {
    for (const row of new CsvParser('', '', { delimiter, quotes: delimiter !== '::' }).push(sample, whole)) {
      rows.push(row);
      if (rows.length === ROWS) break;
    }
  } catch (error) {
    if (!(error instanceof IlrecError)) throw error;
  }
  return rows;
}
