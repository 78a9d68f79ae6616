import { IlrecError } from '../errors';

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma or end' | 'nothing';

// In a string: no control character below the space, no bare quote or backslash.
const TOKEN =
  /[ \t\r\n]*(?:([{}[\],:])|("[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null))/y;

/**
 * Finds the place where a text stops being valid JSON; JavaScript engines report it only sometimes.
 *
 * @returns line and column, from 1, and the text found there; null when the text is valid JSON.
 */
export function jsonErrorPlace(text: string): { line: number; column: number; found: string } | null {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  const after = (): Expected => (open.length === 0 ? 'nothing' : 'comma or end');
  TOKEN.lastIndex = 0;
  for (let at = 0; ; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    const rest = text.slice(at).search(/[^ \t\r\n]/);
    if (rest < 0 && expected === 'nothing') return null;
    const [, mark, string] = match ?? [];
    let next: Expected | null = null;
    const wantsValue = expected === 'value' || expected === 'value or ]';
    if (mark === '{' && wantsValue) {
      open.push('{');
      next = 'key or }';
    } else if (mark === '[' && wantsValue) {
      open.push('[');
      next = 'value or ]';
    } else if (
      mark === '}' &&
      open[open.length - 1] === '{' &&
      (expected === 'key or }' || expected === 'comma or end')
    ) {
      open.pop();
      next = after();
    } else if (
      mark === ']' &&
      open[open.length - 1] === '[' &&
      (expected === 'value or ]' || expected === 'comma or end')
    ) {
      open.pop();
      next = after();
    } else if (mark === ',' && expected === 'comma or end') next = open[open.length - 1] === '{' ? 'key' : 'value';
    else if (mark === ':' && expected === 'colon') next = 'value';
    else if (string !== undefined && (expected === 'key' || expected === 'key or }')) next = 'colon';
    else if (match !== null && mark === undefined && wantsValue) next = after();
    if (next === null) return placeAt(text, rest < 0 ? text.length : at + rest);
    expected = next;
  }
}

function placeAt(text: string, at: number): { line: number; column: number; found: string } {
  const before = text.slice(0, at).split('\n');
  return {
    line: before.length,
    column: before[before.length - 1].length + 1,
    found: at < text.length ? text.slice(at, at + 20) : 'the end of the file',
  };
}

/**
 * Parses JSON that a user wrote.
 *
 * @param path of the file that it stands in.
 * @param what name of the file in error messages, for example the option that it was given with.
 * @throws IlrecError with line and column where it is not valid.
 */
export function parseUserJson(text: string, path: string, what: string): unknown {
  const wrong = jsonErrorPlace(text);
  if (wrong !== null)
    throw new IlrecError(
      `${what} must be JSON, got ${JSON.stringify(wrong.found)} at line ${wrong.line}, column ${wrong.column} of ` +
        `${path}; fix it there`,
    );
  return JSON.parse(text);
}
