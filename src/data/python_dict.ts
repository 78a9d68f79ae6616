import { IlrecError } from '../errors';
import { PYTHON_ESCAPES } from './python_list';
import { show } from './text_file';

const CONSTANTS: Readonly<Record<string, unknown>> = { True: true, False: false, None: null };
/**
 * Parses one line that Python wrote with `repr` of a dict: texts in either quotes with or without `u`, numbers, `True`,
 * `False`, `None`, and dicts, lists and tuples of them. The lines of UCSD's Steam files look so.
 *
 * @param reader the public function that errors name.
 * @returns the keys and values. Whole numbers that a double cannot hold stay texts.
 * @throws IlrecError when the line is not such a dict.
 */
export function parsePythonDict(reader: string, file: string, line: string, number: number): Record<string, unknown> {
  const parser = new PythonParser(line);
  try {
    const value = parser.value(0);
    if (parser.atEnd() && typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new IlrecError(`${reader}: ${file} line ${number} must be one Python dict, got ${show(line)}; repair the line`);
}

const DEEPEST = 100;

class PythonParser {
  private at = 0;

  constructor(private readonly text: string) {}

  atEnd(): boolean {
    this.space();
    return this.at === this.text.length;
  }

  value(depth: number): unknown {
    if (depth > DEEPEST) throw new SyntaxError('too deep');
    this.space();
    const c = this.text[this.at];
    if (c === '{') return this.dict(depth);
    if (c === '[') return this.list(']', depth);
    if (c === '(') return this.list(')', depth);
    const prefixed = /^[uUbB]?(?=['"])/.exec(this.text.slice(this.at, this.at + 2));
    if (prefixed !== null) {
      this.at += prefixed[0].length;
      return this.string();
    }
    const word = this.match(/[\w.+-]+/y);
    if (word in CONSTANTS) return CONSTANTS[word];
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?L?$/i.test(word)) throw new SyntaxError(word);
    const digits = word.replace(/L$/i, '');
    return /^[+-]?\d+$/.test(digits) && !Number.isSafeInteger(Number(digits)) ? digits : Number(digits);
  }

  private dict(depth: number): Record<string, unknown> {
    const entries: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    this.at++;
    while (!this.takes('}')) {
      const key = String(this.value(depth + 1));
      if (!this.takes(':') || key in entries) throw new SyntaxError(key);
      entries[key] = this.value(depth + 1);
      if (!this.takes(',') && this.text[this.at] !== '}') throw new SyntaxError(key);
    }
    return entries;
  }

  private list(end: string, depth: number): unknown[] {
    const values: unknown[] = [];
    this.at++;
    while (!this.takes(end)) {
      values.push(this.value(depth + 1));
      if (!this.takes(',') && this.text[this.at] !== end) throw new SyntaxError(end);
    }
    return values;
  }

  private string(): string {
    const quote = this.text[this.at++];
    const raw = this.match(quote === '"' ? /[^"\\]*(?:\\[^][^"\\]*)*/y : /[^'\\]*(?:\\[^][^'\\]*)*/y, true);
    if (this.text[this.at++] !== quote) throw new SyntaxError('a text without an end');
    if (!raw.includes('\\')) return raw;
    return raw.replace(/\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U00[\da-fA-F]{6}|[^])/g, (_, escape: string) => {
      const code = parseInt(escape.slice(1), 16);
      if (escape.length > 1) return code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
      return PYTHON_ESCAPES[escape] ?? `\\${escape}`;
    });
  }

  private takes(c: string): boolean {
    this.space();
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  private space(): void {
    while (this.at < this.text.length && this.text.charCodeAt(this.at) <= 0x20) this.at++;
  }

  private match(pattern: RegExp, mayBeEmpty = false): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    if (found === '' && !mayBeEmpty) throw new SyntaxError('no value');
    this.at += found.length;
    return found;
  }
}
