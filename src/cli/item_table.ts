import { printable } from '../recommender/printable';

/** A ranked item and its number: a probability, score or similarity. */
export interface RankedRow {
  readonly id: string;
  readonly title: string | null;
  readonly value: number;
}

/** A table of ranked items with a header, for a terminal. @param name of the number. */
export function itemTable(name: string, rows: readonly RankedRow[]): string {
  const ids = rows.map(({ id }) => printable(id));
  const idWidth = Math.max(4, ...ids.map(({ length }) => length));
  const numberWidth = Math.max(name.length, 7);
  const hasTitles = rows.some(({ title }) => title !== null);
  const line = (rank: string, id: string, number: string, title: string): string =>
    `${rank.padStart(4)}  ${id.padEnd(idWidth)}  ${number.padStart(numberWidth)}${hasTitles ? `  ${title}` : ''}`.trimEnd();
  return [
    line('rank', 'item', name, 'title'),
    ...rows.map(({ title, value }, i) => line(String(i + 1), ids[i], value.toFixed(4), printable(title ?? ''))),
  ].join('\n');
}
