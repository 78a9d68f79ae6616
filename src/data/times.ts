import { IlrecError } from '../errors';
import { NumberColumn } from './number_column';
import { show } from './text_file';

const MICROSECONDS = 1e6; // of a second
const DAY = 86_400; // seconds
const ZONED = /^(.*\d)\s*(?:(Z|UTC|GMT)|([+-])(\d\d):?(\d\d)?)$/i;
const ISO = /^(\d{4})([-/])(\d\d?)\2(\d\d?)(?:[T ]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?)?$/i;
const LOCAL = /^(\d\d?)([./-])(\d\d?)\2(\d{4})(?:[T ,]+(\d\d?):(\d\d)(?::(\d\d))?(?: ?([AP])\.?M\.?)?)?$/i;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Numbers from this size on are Unix times of the unit. Smaller ones, such as row numbers, may be of any. */
const UNITS = [
  { from: 1e17, form: 'Unix nanoseconds' },
  { from: 1e14, form: 'Unix microseconds' },
  { from: 1e11, form: 'Unix milliseconds' },
  { from: 1e8, form: 'Unix seconds' },
] as const;

interface Sample {
  readonly form: string;
  readonly line: number;
  readonly value: unknown;
}

/**
 * The times of the rows of one file: numbers, or dates. All have one form, so that they can be compared.
 *
 * A date without a zone counts as UTC. Day and month of 03/04/2021 are told apart by the other rows of the file.
 */
export class TimeColumn {
  /** Numbers as they are, microseconds of dates and nanoseconds; of `LOCAL` dates see `localCode`. */
  private readonly high = new NumberColumn(Float64Array);
  /** Nanoseconds below the microsecond; only of a file that has any. */
  private low: NumberColumn<Int32Array> | null = null;
  private kind: Sample | null = null;
  private unit: Sample | null = null;
  /** Rows that rule out a reading of local dates. */
  private readonly notDayFirst: Sample[] = [];
  private readonly notMonthFirst: Sample[] = [];

  constructor(
    private readonly reader: string,
    private readonly file: string,
  ) {}

  /** @throws IlrecError when the value is no time, or has another form than those before. */
  add(value: unknown, line: number): void {
    if (typeof value === 'number' && Number.isFinite(value)) return this.addNumber(value, String(value), line);
    const text = typeof value === 'string' ? value.trim() : '';
    if (NUMBER.test(text) && Number.isFinite(Number(text))) return this.addNumber(Number(text), text, line);
    if (text !== '' && (this.addIso(text, line) || this.addLocal(text, line))) return;
    throw new IlrecError(
      `${this.reader}: ${this.file} line ${line}: time must be a finite number, got ${show(value)}; write Unix seconds ` +
        'or any number that grows with time, or a date such as 2021-03-04 12:00:00',
    );
  }

  /**
   * Ends the column.
   *
   * @returns a comparison of two rows by time, 0 where they are the same.
   * @throws IlrecError when day and month of the dates cannot be told apart.
   */
  finish(): (a: number, b: number) => number {
    const { high, low } = this;
    if (this.kind?.form === LOCAL_FORM) this.orderLocal(this.kind);
    if (low === null) return (a, b) => high.at(a) - high.at(b);
    return (a, b) => high.at(a) - high.at(b) || low.at(a) - low.at(b);
  }

  private addNumber(value: number, text: string, line: number): void {
    this.agree('kind', { form: 'numbers', line, value: text });
    const size = Math.abs(value);
    const unit = UNITS.find(({ from }) => size >= from);
    if (unit !== undefined) this.agree('unit', { form: unit.form, line, value: text });
    // a double holds microseconds of our time exactly, but not nanoseconds
    if (unit === UNITS[0] && /^[+-]?\d+$/.test(text)) this.push(Number(text.slice(0, -3)), Number(text.slice(-3)));
    else this.push(unit === UNITS[0] ? value / 1000 : value);
  }

  private addIso(text: string, line: number): boolean {
    const date = ISO.exec(text);
    const zone = date === null ? ZONED.exec(text) : null;
    const parts = date ?? (zone && ISO.exec(zone[1]));
    if (parts === null || (zone !== null && parts[5] === undefined)) return false;
    const [, year, , month, day, hour = 0, minute = 0, second = 0, fraction = ''] = parts;
    if (!isDate(+year, +month, +day) || !isTime(+hour, +minute, +second)) return false;
    const offset = zone?.[3] === undefined ? 0 : Number(`${zone[3]}1`) * (+zone[4] * 3600 + +(zone[5] ?? 0) * 60);
    const form = zone === null ? 'dates without a time zone' : 'dates with a time zone';
    this.agree('kind', { form, line, value: text });
    const seconds = days(+year, +month, +day) * DAY + +hour * 3600 + +minute * 60 + +second - offset;
    const nanoseconds = fraction.padEnd(9, '0');
    this.push(seconds * MICROSECONDS + Number(nanoseconds.slice(0, 6)), Number(nanoseconds.slice(6)));
    return true;
  }

  private addLocal(text: string, line: number): boolean {
    const parts = LOCAL.exec(text);
    if (parts === null) return false;
    const [, first, separator, second, year, hour = 0, minute = 0, seconds = 0, half] = parts;
    const hours = half === undefined ? +hour : (+hour % 12) + (half.toUpperCase() === 'P' ? 12 : 0);
    if (!isTime(hours, +minute, +seconds) || (half !== undefined && (+hour < 1 || +hour > 12))) return false;
    const sample = { form: LOCAL_FORM, line, value: text };
    const dayFirst = isDate(+year, +second, +first);
    const monthFirst = separator !== '.' && isDate(+year, +first, +second); // nobody writes MM.DD.YYYY
    if (!dayFirst && !monthFirst) return false;
    this.agree('kind', sample);
    if (!dayFirst) this.notDayFirst[0] ??= sample;
    if (!monthFirst) this.notMonthFirst[0] ??= sample;
    if (this.notDayFirst.length > 0 && this.notMonthFirst.length > 0)
      throw this.mixed(
        { ...this.notMonthFirst[0], form: 'the day before the month' },
        { ...this.notDayFirst[0], form: 'the month before the day' },
      );
    this.push(localCode(+year, +second, +first, hours * 3600 + +minute * 60 + +seconds));
    return true;
  }

  /** Puts the month before the day, where that is how the file is read. */
  private orderLocal({ line, value }: Sample): void {
    if (this.notMonthFirst.length > 0) return;
    if (this.notDayFirst.length === 0) {
      throw new IlrecError(
        `${this.reader}: ${this.file}: the dates must be readable in one way, got ${show(value)} on line ${line}, which ` +
          'is day/month/year or month/day/year, and no row of the file tells; write dates such as 2021-03-04',
      );
    }
    for (let row = 0; row < this.high.length; row++) {
      const code = this.high.at(row);
      const date = Math.floor(code / DAY);
      const [year, month, day] = [Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100];
      this.high.set(row, localCode(year, day, month, code % DAY));
    }
  }

  private push(high: number, low = 0): void {
    if (low !== 0 && this.low === null) {
      this.low = new NumberColumn(Int32Array);
      while (this.low.length < this.high.length) this.low.push(0);
    }
    this.high.push(high);
    this.low?.push(low);
  }

  private agree(what: 'kind' | 'unit', sample: Sample): void {
    const known = (this[what] ??= sample);
    if (known.form !== sample.form) throw this.mixed(known, sample);
  }

  private mixed(first: Sample, second: Sample): IlrecError {
    const tell = ({ form, line, value }: Sample): string => `${show(value)} on line ${line} (${form})`;
    return new IlrecError(
      `${this.reader}: ${this.file}: the times must all have one form, got ${tell(first)} and ${tell(second)}; ` +
        'convert one of them',
    );
  }
}

const LOCAL_FORM = 'dates of day, month and year';

/** Grows with time, and keeps month and day apart, so that they can still be swapped. */
function localCode(year: number, month: number, day: number, seconds: number): number {
  return (year * 10_000 + month * 100 + day) * DAY + seconds;
}

function isTime(hour: number, minute: number, second: number): boolean {
  return hour < 24 && minute < 60 && second < 60;
}

function isDate(year: number, month: number, day: number): boolean {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const length = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day >= 1 && day <= length;
}

/** Days since 1970-01-01 in the Gregorian calendar. */
function days(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC would read the year 21 as 1921
  return date.getTime() / (DAY * 1000);
}
