import { IlrecError } from '../errors';
import { show } from './text_file';
import type { InteractionData } from './types';

/** What a reader of rows adds row by row: user, item, time. */
export class InteractionTable {
  private readonly userNumbers = new Map<string, number>();
  private readonly itemNumbers = new Map<string, number>();
  private readonly users: number[] = [];
  private readonly items: number[] = [];
  private readonly times: number[] = [];
  private trimmed = 0;

  /** @param reader the function named in errors. @param file the file named in errors. */
  constructor(
    private readonly reader: string,
    private readonly file: string,
  ) {}

  /**
   * Adds a row. Ids lose their surrounding space, and the report says how many did.
   * @throws IlrecError when an id is blank or the time is no finite number.
   */
  add(line: number, user: unknown, item: unknown, time: unknown): void {
    this.users.push(numberOf(this.userNumbers, this.id('user', user, line)));
    this.items.push(numberOf(this.itemNumbers, this.id('item', item, line)));
    const value = typeof time === 'number' ? time : typeof time === 'string' && time.trim() !== '' ? Number(time) : NaN;
    if (!Number.isFinite(value)) {
      throw new IlrecError(
        `${this.reader}: ${this.file} line ${line}: time must be a finite number, got ${show(time)}; write Unix seconds or any number that grows with time`,
      );
    }
    this.times.push(value);
  }

  /**
   * Groups by user, in the order users first appear, each sorted by time; ties keep the order of the file.
   *
   * A row whose user, item and time were there before is dropped as a repeated record; the same item at another time is kept.
   * @param titleOf item id -> title; items of it that nobody interacted with are left out, as there is no semantic id to reach them by.
   */
  build(name: string, titleOf?: ReadonlyMap<string, string | null>): InteractionData {
    if (this.users.length === 0)
      throw new IlrecError(
        `${this.reader}: ${this.file} must have at least one interaction, got a header alone; write one row per interaction`,
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
    if (this.trimmed > 0) notes.push(`${this.trimmed} ids of ${this.file} had surrounding space, which is taken off.`);
    if (repeated > 0)
      notes.push(`${repeated} rows of ${this.file} repeat user, item and time of an earlier row and are dropped.`);
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
        `${this.reader}: ${this.file} line ${line}: ${column} must be an id, got ${show(value)}; write a text or number`,
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
