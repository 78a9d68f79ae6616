import { exactNumber } from '../files/exact_json';

/** An element of a list that `parsePythonList` reads. */
export type PythonValue = string | number;

/** What stands behind a backslash in a text of Python, and what it means. */
export const PYTHON_ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};
const NUMBER = /[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?/iy;
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Parses a Python list of strings and numbers, as `str(list)` writes it: `['a', "b's", 3, -1.5]`.
 *
 * A number that a double cannot hold becomes a text of its digits, as in `parseExactJson`.
 *
 * Both quotes, escapes (\n, \', \x41, \u00e9, \U0001f3b8, octal) and a trailing comma are understood.
 *
 * @throws SyntaxError that names the column, counted from 1, and what must stand there.
 */
export function parsePythonList(text: string): PythonValue[] {
  let at = 0;
  const fail = (rule: string): never => {
    throw new SyntaxError(`column ${at + 1}: ${rule}, got ${at < text.length ? JSON.stringify(text[at]) : 'the end'}`);
  };
  const skipSpace = (): void => {
    while (at < text.length && /\s/.test(text[at])) at++;
  };
  const expect = (char: string): void => {
    if (text[at] !== char) fail(`there must be "${char}"`);
    at++;
  };

  const hex = (kind: string): string => {
    const digits = text.slice(at, at + HEX_DIGITS[kind]);
    const code = /^[0-9a-fA-F]+$/.test(digits) && digits.length === HEX_DIGITS[kind] ? parseInt(digits, 16) : NaN;
    if (!(code <= 0x10ffff)) fail(`\\${kind} must have ${HEX_DIGITS[kind]} hexadecimal digits of a character`);
    at += digits.length;
    return String.fromCodePoint(code);
  };
  const escape = (): string => {
    const char = text[at];
    if (char !== undefined && char >= '0' && char <= '7') {
      const digits = (/^[0-7]{1,3}/.exec(text.slice(at)) as RegExpExecArray)[0];
      at += digits.length;
      return String.fromCodePoint(parseInt(digits, 8));
    }
    at++;
    if (char in HEX_DIGITS) return hex(char);
    return PYTHON_ESCAPES[char] ?? `\\${char}`; // Python keeps the backslash of an escape it does not know
  };
  const string = (): string => {
    const quote = text[at++];
    let value = '';
    while (text[at] !== quote) {
      if (at >= text.length) fail(`the string must end with ${quote}`);
      if (text[at] === '\\' && at + 1 < text.length) {
        at++;
        value += escape();
      } else value += text[at++];
    }
    at++;
    return value;
  };
  const number = (): PythonValue => {
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(text);
    if (match === null) return fail('an element must be a quoted string or a number');
    at += match[0].length;
    return exactNumber(match[0]);
  };

  const values: PythonValue[] = [];
  skipSpace();
  expect('[');
  for (skipSpace(); text[at] !== ']'; skipSpace()) {
    values.push(text[at] === "'" || text[at] === '"' ? string() : number());
    skipSpace();
    if (text[at] !== ']') expect(',');
  }
  at++;
  skipSpace();
  if (at < text.length) fail('nothing may follow the list');
  return values;
}
