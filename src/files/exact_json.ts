/** A key that one object of a JSON text names twice, with the lines of both, from 1. */
export interface RepeatedKey {
  readonly key: string;
  readonly line: number;
  readonly firstLine: number;
}

/** What `parseExactJson` found. */
export interface ExactJson {
  readonly value: unknown;
  /** The first key that an object names twice, at any depth; `JSON.parse` would silently keep the last of the two. */
  readonly repeated: RepeatedKey | null;
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
const NUMBER = /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i;
const WHOLE = /^-?[1-9]\d*$/;
/** Characters of the longest whole numbers that may be safe: 16 digits and a sign. */
const LONGEST_SAFE = 17;
/** Any decimal number of fewer characters survives a double. */
const SHORTEST_INEXACT = 16;
const MOST_ZEROS = 60;

/**
 * Parses JSON as `JSON.parse` does, but rounds no number: one that a double cannot hold becomes a text of its digits.
 *
 * Whole numbers beyond `Number.MAX_SAFE_INTEGER` always become texts: 9007199254740993, 9007199254740993.0 and
 * 9007199254740993e0 are '9007199254740993'.
 *
 * @throws SyntaxError when the text is not valid JSON.
 */
export function parseExactJson(text: string): ExactJson {
  const { inexact, repeated } = scan(text);
  let quoted = '';
  let at = 0;
  for (const { start, end, digits } of inexact) {
    quoted += `${text.slice(at, start)}"${digits}"`;
    at = end;
  }
  return { value: JSON.parse(at === 0 ? text : quoted + text.slice(at)), repeated };
}

/**
 * The value of a decimal number: a text of its digits where a double would round it or it is a whole number beyond
 * `Number.MAX_SAFE_INTEGER`, and otherwise a number.
 *
 * @param token a number of JSON or Python, such as 12, -1.5, .5 or 1e20.
 */
export function exactNumber(token: string): number | string {
  const { length } = token;
  if (WHOLE.test(token) && length > LONGEST_SAFE) return token;
  const value = Number(token);
  if (length < SHORTEST_INEXACT && !/e/i.test(token)) return value;
  const digits = plainDigits(token);
  if (Number.isInteger(value)) return Number.isSafeInteger(value) && String(value) === digits ? value : digits;
  return Number.isFinite(value) && plainDigits(String(value)) === digits ? value : digits;
}

/** One spelling for each number: no plus sign, no needless zeros, and an exponent only instead of many zeros. */
function plainDigits(token: string): string {
  const [, sign, whole, fraction, exponent = '0'] = NUMBER.exec(token) as RegExpExecArray;
  const all = (whole + fraction).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return '0';
  const point = all.length - fraction.length + Number(exponent); // digits before the point
  const minus = sign === '-' ? '-' : '';
  const zeros = Math.max(point - digits.length, -point);
  if (zeros > MOST_ZEROS) return `${minus}${digits}e${point - digits.length}`;
  if (point <= 0) return `${minus}0.${'0'.repeat(-point)}${digits}`;
  const padded = digits.padEnd(point, '0');
  return minus + padded.slice(0, point) + (padded.length > point ? `.${padded.slice(point)}` : '');
}

interface Inexact {
  readonly start: number;
  readonly end: number;
  readonly digits: string;
}

/**
 * Finds the numbers that a double would round, and the first repeated key. In a text that is not valid JSON it may
 * find others, but writing the numbers that it finds as texts never makes such a text valid.
 */
function scan(text: string): { inexact: Inexact[]; repeated: RepeatedKey | null } {
  const outer: (Map<string, number> | null)[] = [];
  let keys: Map<string, number> | null = null; // of the innermost object, with their places; null in a list
  let atKey = false;
  let repeated: RepeatedKey | null = null;
  const inexact: Inexact[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      const start = i;
      i = closingQuote(text, start);
      if (!atKey || keys === null) continue;
      atKey = false;
      const inner = text.slice(start + 1, i);
      const key = inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner;
      const first = keys.get(key);
      if (first === undefined) keys.set(key, start);
      else repeated ??= { key, line: lineAt(text, start), firstLine: lineAt(text, first) };
    } else if (c === 0x2c) {
      atKey = keys !== null; // ,
    } else if (c === 0x7b || c === 0x5b) {
      outer.push(keys);
      atKey = c === 0x7b; // { or [
      keys = atKey ? new Map() : null;
    } else if (c === 0x7d || c === 0x5d) {
      atKey = false; // } or ]
      keys = outer.pop() ?? null;
    } else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      const start = i;
      let risky = false;
      for (; isOfNumber(text.charCodeAt(i)); i++) risky ||= (text.charCodeAt(i) | 0x20) === 0x65; // e or E
      if (!atKey && (risky || i - start >= SHORTEST_INEXACT)) {
        const token = text.slice(start, i);
        const digits = JSON_NUMBER.test(token) ? exactNumber(token) : NaN;
        if (typeof digits === 'string') inexact.push({ start, end: i, digits });
      }
      i--;
    }
  }
  return { inexact, repeated };
}

/** The place of the quote that ends a string, or the end of the text. */
function closingQuote(text: string, start: number): number {
  let i = start + 1;
  for (let c = text.charCodeAt(i); c !== 0x22 && i < text.length; c = text.charCodeAt(i)) i += c === 0x5c ? 2 : 1;
  return i;
}

/** Whether a character is a digit, a sign, a point or the letter of an exponent. */
function isOfNumber(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || c === 0x2e || c === 0x2d || c === 0x2b || c === 0x65 || c === 0x45;
}

function lineAt(text: string, place: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < place; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
