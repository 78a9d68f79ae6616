import { IlrecError } from '../errors';
import { show } from './text_file';
import type { InteractionData } from './types';

/** Collects rows of user, item and time, and turns them into one sequence per user. */
export class InteractionTable {
  private readonly userNumbers = new Map<string, number>();
  private readonly itemNumbers = new Map<string, number>();
  private readonly users: number[] = [];
  private readonly items: number[] = [];
  private readonly times: number[] = [];
  private trimmed = 0;

  /**
   * @param reader the public function that errors name.
   * @param file the file that errors name.
   */
  constructor(
    private readonly reader: string,
    private readonly file: string,
  ) {}

  /**
   * Adds a row. Ids are trimmed, and a note says how many had surrounding space.
   *
   * @throws IlrecError when an id is blank or the time is not a finite number.
   */
  add(line: number, user: unknown, item: unknown, time: unknown): void {
    this.users.push(numberOf(this.userNumbers, this.id('user', user, line)));
    this.items.push(numberOf(this.itemNumbers, this.id('item', item, line)));
    const value = typeof time === 'number' ? time : typeof time === 'string' && time.trim() !== '' ? Number(time) : NaN;
    if (!Number.isFinite(value)) {
      throw new IlrecError(
        `${this.reader}: ${this.file} line ${line}: time must be a finite number, got ${show(time)}; write Unix ` +
          'seconds or any number that grows with time',
      );
    }
    this.times.push(value);
  }

  /**
   * Groups the rows by user, in the order of each user's first row, and sorts each group by time. Equal times keep the
   * order of the file.
   *
   * A row that repeats user, item and time of an earlier row is dropped. The same item at another time is kept.
   *
   * @param titleOf item id -> title. Items without an interaction are left out: no semantic id would lead to them.
   * @throws IlrecError when no row was added.
   */
  build(name: string, titleOf?: ReadonlyMap<string, string | null>): InteractionData {
    if (this.users.length === 0)
      throw new IlrecError(
        `${this.reader}: ${this.file} must have at least one interaction, got only a header; write one row per ` +
          'interaction',
      );
    const rowsOf: number[][] = Array.from(this.userNumbers, () => []);
    this.users.forEach((user, row) => rowsOf[user].push(row));
    let repeated = 0;
    const sequences = rowsOf.map((rows) => {
      rows.sort((a, b) => this.times[a] - this.times[b] || a - b);
      const seen = new Set<string>();
      const kept = rows.filter((row) => {
        const key = `${this.items[row]} ${this.times[row]}`;
        return seen.size < seen.add(key).size;
      });
      repeated += rows.length - kept.length;
      return Int32Array.from(kept, (row) => this.items[row]);
    });
    const itemIds = [...this.itemNumbers.keys()];
    const notes: string[] = [];
    if (this.trimmed > 0) notes.push(`${this.trimmed} ids of ${this.file} had surrounding space, which was removed.`);
    if (repeated > 0)
      notes.push(`${repeated} rows of ${this.file} repeat user, item and time of an earlier row and were dropped.`);
    if (titleOf !== undefined) {
      const without = itemIds.filter((id) => (titleOf.get(id) ?? null) === null).length;
      if (without > 0) notes.push(`${without} of ${itemIds.length} items have no title.`);
    }
    return {
      name,
      itemIds,
      userIds: [...this.userNumbers.keys()],
      sequences,
      notes,
      ...(titleOf && { titles: itemIds.map((id) => titleOf.get(id) ?? null) }),
    };
  }

  private id(column: string, value: unknown, line: number): string {
    const text = typeof value === 'number' && Number.isFinite(value) ? String(value) : value;
    if (typeof text !== 'string' || text.trim() === '') {
      throw new IlrecError(
        `${this.reader}: ${this.file} line ${line}: ${column} must be an id, got ${show(value)}; write a text or ` +
          'number',
      );
    }
    const trimmed = text.trim();
    if (trimmed !== text) this.trimmed++;
    return trimmed;
  }
}

function numberOf(numbers: Map<string, number>, id: string): number {
  const known = numbers.get(id);
  if (known !== undefined) return known;
  numbers.set(id, numbers.size);
  return numbers.size - 1;
}
