import { IlrecError } from '../errors';
import { detached, IdColumn, joinWholeIds, wholeId } from './id_column';
import { NumberColumn } from './number_column';
import { TimeColumn } from './times';
import type { InteractionData } from './types';

/** What `InteractionTable` is told of its file. */
export interface InteractionTableOptions {
  /** Whether the rows have times. Without, they are in the order of the file. Default true. */
  timed?: boolean;
  /** Whether words such as NaN are ids too, where people chose their names. Default false. */
  anyText?: boolean;
  /**
   * What becomes of ids such as 1.0. `join`: `1.0` and `1` are one id where all ids of the column are whole numbers, as in
   * CSV, which has no types. `note`: a note names two ids of that kind. Default: they are texts like others.
   */
  floats?: 'join' | 'note';
}

/** Rows that another program has numbered, grouped and sorted, as `InteractionTable` would. */
export interface GroupedRows {
  /** In the order of their first rows. */
  readonly userIds: readonly string[];
  readonly itemIds: readonly string[];
  /** Item numbers in time order, [users]. */
  readonly sequences: Int32Array[];
  /** How many rows repeated another and were dropped. */
  readonly repeated: number;
}

/** Collects rows of user, item and time in typed arrays, and turns them into one sequence per user. */
export class InteractionTable {
  private readonly userIds: IdColumn;
  private readonly itemIds: IdColumn;
  private readonly users = new NumberColumn(Int32Array);
  private readonly items = new NumberColumn(Int32Array);
  private readonly times: TimeColumn | null;
  /** Titles from the rows themselves, by item number. */
  private readonly rowTitles: (string | undefined)[] = [];
  private readonly retitled = new Set<number>();
  private grouped: GroupedRows | null = null;
  private readonly floats: InteractionTableOptions['floats'];

  /**
   * @param reader the public function that errors name.
   * @param file the file that errors name.
   */
  constructor(
    private readonly reader: string,
    private readonly file: string,
    { timed = true, anyText = false, floats }: InteractionTableOptions = {},
  ) {
    this.floats = floats;
    this.userIds = new IdColumn(reader, file, 'user', anyText);
    this.itemIds = new IdColumn(reader, file, 'item', anyText);
    this.times = timed ? new TimeColumn(reader, file) : null;
  }

  /** How many rows were added. */
  get length(): number {
    return this.users.length;
  }

  /**
   * Adds a row. Ids are trimmed, and a note says how many had surrounding space.
   *
   * @param title the item's title, where the table has one.
   * @throws IlrecError when an id is blank or no id, or the time is not a number or date like those before.
   */
  add(line: number, user: unknown, item: unknown, time?: unknown, title?: unknown): void {
    this.users.push(this.userIds.numberOf(user, line));
    const number = this.itemIds.numberOf(item, line);
    this.items.push(number);
    this.times?.add(time, line);
    const text = typeof title === 'string' ? title.trim() : '';
    if (text === '') return;
    const known = (this.rowTitles[number] ??= detached(text));
    if (known !== text) this.retitled.add(number);
  }

  /**
   * Takes all rows at once, instead of `add`.
   *
   * @returns false where the ids are not as `add` would number them; the table is then of no use.
   * @throws IlrecError when an id is blank or no id.
   */
  take(grouped: GroupedRows): boolean {
    this.grouped = grouped;
    const { userIds, itemIds } = this;
    for (const id of grouped.userIds) userIds.numberOf(id, 1);
    for (const id of grouped.itemIds) itemIds.numberOf(id, 1);
    return [userIds, itemIds].every(({ trimmed, look }) => trimmed === 0 && look !== 'float');
  }

  /**
   * Groups the rows by user, in the order of each user's first row, and sorts each group by time. Equal times keep the
   * order of the file.
   *
   * A row that repeats user, item and time of an earlier row is dropped. The same item at another time is kept.
   *
   * @param titleOf item id -> title. Items without an interaction are left out: no semantic id would lead to them.
   * @throws IlrecError when no row was added, or when day and month of the dates cannot be told apart.
   */
  build(name: string, titleOf?: ReadonlyMap<string, string | null>): InteractionData {
    if (this.length === 0 && this.grouped === null)
      throw new IlrecError(
        `${this.reader}: ${this.file} must have at least one interaction, got only a header; write one row per ` +
          'interaction',
      );
    const notes: string[] = [];
    const trimmed = this.userIds.trimmed + this.itemIds.trimmed;
    if (trimmed > 0) notes.push(`${trimmed} ids of ${this.file} had surrounding space, which was removed.`);
    const users = this.joined('user', this.userIds, notes);
    const items = this.joined('item', this.itemIds, notes, titleOf && [...titleOf.keys()]);
    const { sequences, repeated } = this.grouped ?? this.group(users, items);
    if (repeated > 0)
      notes.push(`${repeated} rows of ${this.file} repeat user, item and time of an earlier row and were dropped.`);
    const titles = this.titlesOf(items, titleOf, notes);
    return { name, itemIds: items.ids, userIds: users.ids, sequences, notes, ...(titles && { titles }) };
  }

  /** The ids of a column, with `1.0` and `1` as one where that is asked for. */
  private joined(role: string, column: IdColumn, notes: string[], others: readonly string[] = []): JoinedIds {
    const { ids, look } = column;
    if (this.floats === undefined) return { ids, numbers: null, float: false };
    const float = look === 'float' || (look === 'whole' && others.some((id) => wholeId(id) !== id));
    const isJoined = float && this.floats === 'join' && (others.length === 0 || lookOf(others) === 'whole');
    if (!isJoined) {
      const floats = ids.filter((id) => wholeId(id) !== id);
      const all = floats.length > 0 ? new Set(ids) : undefined;
      const both = floats.find((id) => all?.has(wholeId(id)));
      if (both !== undefined)
        notes.push(`${wholeId(both)} and ${both} are two ${role}s; write them alike if they are one.`);
      return { ids, numbers: null, float: false };
    }
    notes.push(`The ids of ${role}s are whole numbers, some written as floats: 1.0 and 1 are one id, 1.`);
    return { ...joinWholeIds(ids), float: true };
  }

  /** Counting sort by user, then each user's rows by time. */
  private group(users: JoinedIds, items: JoinedIds): { sequences: Int32Array[]; repeated: number } {
    const { length } = this;
    const userAt = (row: number): number => users.numbers?.[this.users.at(row)] ?? this.users.at(row);
    const itemAt = (row: number): number => items.numbers?.[this.items.at(row)] ?? this.items.at(row);
    const starts = new Int32Array(users.ids.length + 1);
    for (let row = 0; row < length; row++) starts[userAt(row) + 1]++;
    for (let user = 0; user < users.ids.length; user++) starts[user + 1] += starts[user];
    const rows = new Int32Array(length);
    const ends = starts.slice();
    for (let row = 0; row < length; row++) rows[ends[userAt(row)]++] = row;

    const compare = this.times?.finish();
    const all = new Int32Array(length); // item numbers of all users, which the sequences are parts of
    const sequences: Int32Array[] = [];
    const seen = new Set<number>(); // items of the same user at the same time
    let at = 0;
    for (let user = 0; user < users.ids.length; user++) {
      const own = rows.subarray(starts[user], starts[user + 1]);
      if (compare !== undefined && !isSorted(own, compare)) own.sort((a, b) => compare(a, b) || a - b);
      const start = at;
      seen.clear();
      for (let i = 0; i < own.length; i++) {
        if (compare === undefined || (i > 0 && compare(own[i - 1], own[i]) !== 0)) seen.clear();
        const item = itemAt(own[i]);
        if (seen.size < seen.add(item).size) all[at++] = item;
      }
      sequences.push(all.subarray(start, at));
    }
    return { sequences, repeated: length - at };
  }

  private titlesOf(
    items: JoinedIds,
    titleOf: ReadonlyMap<string, string | null> | undefined,
    notes: string[],
  ): (string | null)[] | undefined {
    if (titleOf === undefined && this.rowTitles.length === 0) return undefined;
    const titles: (string | null)[] = items.ids.map(() => null);
    this.rowTitles.forEach((title, item) => {
      titles[items.numbers?.[item] ?? item] ??= title ?? null;
    });
    if (titleOf !== undefined) {
      const ofWhole = items.float ? new Map(Array.from(titleOf, ([id, title]) => [wholeId(id), title])) : titleOf;
      items.ids.forEach((id, item) => (titles[item] = ofWhole.get(id) ?? titles[item]));
    } else if (this.retitled.size > 0) {
      notes.push(
        `${this.retitled.size} items of ${this.file} have several titles, and the first is kept; if they are no titles ` +
          'of items, leave the column out: --columns title=-',
      );
    }
    const without = titles.filter((title) => title === null).length;
    if (without > 0) notes.push(`${without} of ${titles.length} items have no title.`);
    return titles;
  }
}

interface JoinedIds {
  readonly ids: string[];
  /** The new number of each number of the column; null where they stay. */
  readonly numbers: Int32Array | null;
  /** Whether `1.0` and `1` are one. */
  readonly float: boolean;
}

function lookOf(ids: readonly string[]): 'whole' | 'other' {
  return ids.every((id) => /^-?\d+(?:\.0)?$/.test(id)) ? 'whole' : 'other';
}

function isSorted(rows: Int32Array, compare: (a: number, b: number) => number): boolean {
  for (let i = 1; i < rows.length; i++) if (compare(rows[i - 1], rows[i]) > 0) return false;
  return true;
}
