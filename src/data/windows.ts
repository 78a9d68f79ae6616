import { IlrecError } from '../errors';
import { readCsv, columnOf } from './csv_rows';
import type { SplitWindow } from './published_split';
import { idOf, lookAlikes, show, spaceNote, type TextFile } from './text_file';
import { titlePlaces } from './title_field';
import type { InteractionData, PublishedCase } from './types';
import { chainedUsers, chainsOf, type HistoryWindow } from './window_chain';
import { type WindowColumns, windowRows } from './window_rows';

const READER = 'readWindows';

/** Tables of windows, for `readWindows`. */
export interface WindowFiles {
  /** CSV tables, one per split, in the order train, valid, test. */
  windows: TextFile[];
  /** The split of each table. */
  splits: SplitWindow['split'][];
  /** Names of the columns; upper and lower case are the same. */
  columns: Pick<WindowColumns, 'user' | 'history' | 'target' | 'title'>;
  /** A CSV table of all items, with the target's column and a column `title`, or else `*_title`, `name` or
   * `*_name`. Default: the items of the windows. */
  items?: TextFile;
  /**
   * 'published' trains on the rows of train and evaluates the rows of valid and test as they are; 'leave-one-out' chains
   * all rows of a user. Default 'leave-one-out'.
   */
  split?: 'leave-one-out' | 'published';
  /** Name of the dataset. Default 'windows'. */
  name?: string;
}

/**
 * Reads tables of windows, as many papers publish their splits: each row has a user, the items before, written as a
 * Python list, and the item that followed.
 *
 * With the published split, the rows of train are chained where they overlap. A row that continues no other begins a
 * sequence of its own, so that no item seems to follow one that it did not follow. Rows of valid and test keep the
 * history that they show.
 *
 * @param files the tables and their columns; see `WindowFiles`.
 * @returns one sequence per user, or with the published split per chain of train rows, and `cases` for that split.
 * @throws IlrecError when a table is malformed, a column is missing, an item is not in `items`, or the published split
 *   has no rows of train or of test; the message names the file, the line and the value.
 * @example
 * ```ts
 * import { readWindows } from 'tfjs-ilrec';
 *
 * const train = { name: 'train.csv', text: 'uid,hist_id,iid\n1,"[3, 7]",5\n1,"[3, 7, 5]",9\n' };
 * const test = { name: 'test.csv', text: 'uid,hist_id,iid\n1,"[7, 5, 9]",3\n' };
 * const columns = { user: 'uid', history: 'hist_id', target: 'iid' };
 * const { itemIds, sequences, cases } = readWindows({
 *   windows: [train, test],
 *   splits: ['train', 'test'],
 *   columns,
 *   split: 'published',
 * });
 * console.log(Array.from(sequences[0], (item) => itemIds[item]), cases?.test.length); // [ '3', '7', '5', '9' ] 1
 * ```
 */
export function readWindows({
  windows,
  splits,
  columns,
  items,
  split = 'leave-one-out',
  name = 'windows',
}: WindowFiles): InteractionData {
  const titleOf = items && readItems(items, columns.target);
  const numberOf = new Map<string, number>();
  titleOf?.forEach((_, id) => numberOf.set(id, numberOf.size));
  const rowTitles = new Map<string, string>();
  const windowsOf = new Map<string, SplitWindow[]>();
  let spaced = 0;
  windows.forEach((file, part) => {
    for (const row of windowRows(READER, file, columns)) {
      spaced += row.spaced;
      const numbers = row.items.map((id) => {
        if (titleOf === undefined && !numberOf.has(id)) numberOf.set(id, numberOf.size);
        const number = numberOf.get(id);
        if (number === undefined)
          throw new IlrecError(
            `${READER}: ${file.name} line ${row.line} must have only items of ${items?.name}, got ${show(id)}; add ` +
              'the item there',
          );
        return number;
      });
      if (row.title !== '') rowTitles.set(row.items[row.items.length - 1], row.title);
      const window = { history: numbers.slice(0, -1), target: numbers[numbers.length - 1], split: splits[part] };
      const known = windowsOf.get(row.user);
      if (known === undefined) windowsOf.set(row.user, [window]);
      else known.push(window);
    }
  });
  if (windowsOf.size === 0)
    throw new IlrecError(
      `${READER}: ${windows.map((file) => file.name).join(', ') || 'the dataset'} must have at least one window, got none`,
    );
  const notes: string[] = [];
  const parts: Parts =
    split === 'published'
      ? published(windowsOf, notes)
      : { userIds: [...windowsOf.keys()], ...chainedUsers(windowsOf.values(), null, notes) };
  const itemIds = [...numberOf.keys()];
  notes.push(
    ...spaceNote(windows.map((file) => file.name).join(' and '), spaced),
    ...lookAlikes('item', itemIds),
    ...lookAlikes('user', windowsOf.keys()),
  );
  const titles = itemIds.map((id) => titleOf?.get(id) ?? rowTitles.get(id) ?? null);
  return { name, itemIds, notes, ...parts, ...(titles.some((title) => title !== null) && { titles }) };
}

type Parts = Pick<InteractionData, 'userIds' | 'sequences' | 'cases'>;

/** Trains on the rows of train, evaluates those of valid and test as they are. */
function published(windowsOf: ReadonlyMap<string, SplitWindow[]>, notes: string[]): Parts {
  const userIds: string[] = [];
  const sequences: Int32Array[] = [];
  const cases: { valid: PublishedCase[]; test: PublishedCase[] } = { valid: [], test: [] };
  let extra = 0;
  let number = 0;
  const taken = new Set(windowsOf.keys());
  for (const [user, windows] of windowsOf) {
    const of = (part: SplitWindow['split']): HistoryWindow[] => windows.filter(({ split }) => split === part);
    const chains = chainsOf(of('train'));
    chains.forEach((chain, i) => {
      userIds.push(i === 0 ? user : freeName(user, i + 1, taken));
      sequences.push(Int32Array.from(chain));
    });
    extra += Math.max(0, chains.length - 1);
    for (const part of ['valid', 'test'] as const)
      for (const { history, target } of of(part))
        cases[part].push({ history: Int32Array.from(history), target, user: number });
    number++;
  }
  for (const [part, count] of [
    ['train', sequences.length],
    ['test', cases.test.length],
  ] as const)
    // valid may lack
    if (count === 0)
      throw new IlrecError(
        `${READER}: the published split must have rows of ${part}, got none; use leave-one-out instead`,
      );
  notes.push('The rows of valid and test are evaluated as published; only the rows of train are trained on.');
  if (extra > 0)
    notes.push(`Rows of train that continue no other row of their user: ${extra}. Each begins a sequence of its own.`);
  return { userIds, sequences, cases };
}

/** A name for a further sequence of a user, which no other sequence has. */
function freeName(user: string, number: number, taken: Set<string>): string {
  let free = number;
  while (taken.has(`${user} (${free})`)) free++;
  taken.add(`${user} (${free})`);
  return `${user} (${free})`;
}

/** Reads the table of items: id -> title, null without one. */
function readItems(file: TextFile, column: string): Map<string, string | null> {
  const { header, rows } = readCsv(READER, file);
  const id = columnOf(READER, file.name, header, [column.toLowerCase()]);
  const [title = -1, ...others] = titlePlaces(header);
  if (others.length > 0)
    throw new IlrecError(
      `${READER}: ${file.name} line 1: the header must name only one column of titles, got ` +
        `${show([title, ...others].map((place) => header[place]).join(','))}; name the right one "title"`,
    );
  const titleOf = new Map<string, string | null>();
  for (const { fields, line } of rows) {
    const item = fields[id].trim();
    const where = `${READER}: ${file.name} line ${line}: ${column}`;
    if (item === '') throw new IlrecError(`${where} must not be blank, got ${show(fields[id])}; name the item`);
    if (idOf(item) === null)
      throw new IlrecError(`${where} must be an id, got ${show(item)}; write a text or a whole number`);
    if (titleOf.has(item))
      throw new IlrecError(`${where} must occur only once, got ${show(item)} again; keep one of the lines`);
    titleOf.set(item, title < 0 ? null : fields[title].trim() || null);
  }
  return titleOf;
}
