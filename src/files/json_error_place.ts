import { IlrecError } from '../errors';

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma or end' | 'nothing';

const WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * Finds the place where a text stops being valid JSON; JavaScript engines report it only sometimes.
 *
 * @returns line and column, from 1, and the text found there; null when the text is valid JSON.
 */
export function jsonErrorPlace(text: string): { line: number; column: number; found: string } | null {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  const after = (): Expected => (open.length === 0 ? 'nothing' : 'comma or end');
  for (let at = skipSpace(text, 0); ;) {
    if (at >= text.length && expected === 'nothing') return null;
    const mark = text[at];
    const wantsValue = expected === 'value' || expected === 'value or ]';
    let next: Expected | null = null;
    let end = at + 1;
    if (mark === '"') {
      end = endOfString(text, at);
      if (end >= 0 && wantsValue) next = after();
      else if (end >= 0 && (expected === 'key' || expected === 'key or }')) next = 'colon';
    } else if (mark === '{' && wantsValue) {
      open.push('{');
      next = 'key or }';
    } else if (mark === '[' && wantsValue) {
      open.push('[');
      next = 'value or ]';
    } else if (
      (mark === '}' && open[open.length - 1] === '{' && (expected === 'key or }' || expected === 'comma or end')) ||
      (mark === ']' && open[open.length - 1] === '[' && (expected === 'value or ]' || expected === 'comma or end'))
    ) {
      open.pop();
      next = after();
    } else if (mark === ',' && expected === 'comma or end') next = open[open.length - 1] === '{' ? 'key' : 'value';
    else if (mark === ':' && expected === 'colon') next = 'value';
    else if (wantsValue) {
      WORD.lastIndex = at;
      if (WORD.test(text)) {
        end = WORD.lastIndex;
        next = after();
      }
    }
    if (next === null) return placeAt(text, Math.min(at, text.length));
    expected = next;
    at = skipSpace(text, end);
  }
}

function skipSpace(text: string, start: number): number {
  let at = start;
  for (let c = text.charCodeAt(at); c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; c = text.charCodeAt(at)) at++;
  return at;
}

/** The place behind the string that starts at `start`; -1 when it is no string of JSON. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length;) {
    const c = text.charCodeAt(at);
    if (c === 0x22) return at + 1;
    if (c < 0x20) return -1;
    if (c === 0x5c) {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) return -1;
      at = ESCAPE.lastIndex;
    } else at++;
  }
  return -1;
}

function placeAt(text: string, at: number): { line: number; column: number; found: string } {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', start)) {
    line++;
    start = end + 1;
  }
  return {
    line,
    column: at - start + 1,
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
