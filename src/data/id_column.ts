import { IlrecError } from '../errors';
import { show } from './text_file';

const WHOLE = /^-?\d+$/;
const WHOLE_FLOAT = /^(-?\d+)\.0$/; // as pandas writes the integers of a column with gaps
/** What programs write for a missing value, or for a number that is none. */
const NO_ID =
  /^(?:nan|NaN|NAN|NaT|<NA>|null|Null|NULL|None|undefined|true|True|TRUE|false|False|FALSE|[-+]?(?:inf|Inf|Infinity)|[-+]?0[xX][0-9a-fA-F]{1,16})$/;
/** As pandas and spreadsheets write long integers: the last digits are gone. */
const ROUNDED = /^-?\d(?:[.,]\d+)?[eE]\+\d+$/;

/** The ids of one column, numbered in the order of their first rows. */
export class IdColumn {
  private readonly numbers = new Map<string, number>();
  /** How many rows had space around the id, which was removed. */
  trimmed = 0;

  /**
   * @param role what errors call the column.
   * @param anyText whether words such as NaN are ids too.
   */
  constructor(
    private readonly reader: string,
    private readonly file: string,
    private readonly role: string,
    private readonly anyText = false,
  ) {}

  /** @throws IlrecError when the value is no id. */
  numberOf(value: unknown, line: number): number {
    const known = this.numbers.get(Number.isSafeInteger(value) ? String(value) : (value as string));
    if (known !== undefined) return known;
    const id = this.idOf(value, line);
    const number = this.numbers.get(id) ?? this.numbers.size;
    if (number === this.numbers.size) this.numbers.set(detached(id), number);
    return number;
  }

  /** The ids, [distinct]. */
  get ids(): string[] {
    return [...this.numbers.keys()];
  }

  /** How the ids look: all whole numbers, some of them perhaps as floats, or others. */
  get look(): 'whole' | 'float' | 'other' {
    let look: 'whole' | 'float' = 'whole';
    for (const id of this.numbers.keys()) {
      if (WHOLE_FLOAT.test(id)) look = 'float';
      else if (!WHOLE.test(id)) return 'other';
    }
    return look;
  }

  private idOf(value: unknown, line: number): string {
    const where = `${this.reader}: ${this.file} line ${line}: ${this.role}`;
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
      throw new IlrecError(`${where} must be an id that is read exactly, got ${value}; write it as a text in quotes`);
    const text = typeof value === 'number' && Number.isFinite(value) ? String(value) : value;
    const id = typeof text === 'string' ? text.trim() : '';
    if (id === '' || (!this.anyText && NO_ID.test(id)))
      throw new IlrecError(`${where} must be an id, got ${show(value)}; write a text or number, or remove the line`);
    if (!this.anyText && ROUNDED.test(id))
      throw new IlrecError(
        `${where} must be an id, got ${show(value)}, a number that lost its last digits; export ids as text`,
      );
    if (id !== text) this.trimmed++;
    return id;
  }
}

/** An id without the ".0" of a whole number. */
export function wholeId(id: string): string {
  return WHOLE_FLOAT.exec(id)?.[1] ?? id;
}

/** Renumbers ids so that `1.0` and `1` are one. */
export function joinWholeIds(ids: readonly string[]): { ids: string[]; numbers: Int32Array } {
  const numberOf = new Map<string, number>();
  const numbers = Int32Array.from(ids, (id) => {
    const whole = wholeId(id);
    const number = numberOf.get(whole) ?? numberOf.size;
    numberOf.set(whole, number);
    return number;
  });
  return { ids: [...numberOf.keys()], numbers };
}

/** A copy that does not keep the whole text of the file alive, as a slice of it does in V8. */
export function detached(text: string): string {
  return text.length < 13 ? text : text.split('').join('');
}
