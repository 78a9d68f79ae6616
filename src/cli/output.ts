import { type AskedSeenRule, SEEN, type SeenOptions } from '../config/seen_rule';
import { IlrecError } from '../errors';

/** Prints a verb's result: the one JSON object on stdout with --json, text otherwise. */
export function printResult(json: boolean | undefined, value: object, text: string): void {
  process.stdout.write((json === true ? JSON.stringify(value) : text) + '\n');
}

/** A remark beside the result; never on stdout. */
export function remark(text: string): void {
  process.stderr.write(text + '\n');
}

/** A whole number of an option. @throws IlrecError that names the option. */
export function integerOption(name: string, least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || text.trim() === '')
      throw new IlrecError(`${name} must be a whole number of at least ${least}, got ${text}`);
    return value;
  };
}

/** Values of an option that are separated by commas. */
export function listOption(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** One of some names. @throws IlrecError that lists them. */
export function oneOf<T extends string>(name: string, allowed: readonly T[], value: string): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new IlrecError(`${name} must be one of ${allowed.join(', ')}, got ${value}`);
  return found;
}

/** A rule for items seen. @throws IlrecError that lists them. */
export function seenOption(text: string): AskedSeenRule {
  return oneOf('--seen', SEEN, text);
}

/** What `--seen` asks for, and `--exclude-seen`, which is `--seen exclude`. @throws IlrecError when they disagree. */
export function seenOf({ seen, excludeSeen = false }: SeenOptions): AskedSeenRule | undefined {
  if (!excludeSeen) return seen;
  if (seen !== undefined && seen !== 'exclude')
    throw new IlrecError(
      `--exclude-seen is the same as --seen exclude, got --seen ${seen} beside it; give one of them`,
    );
  return 'exclude';
}

/** '1 step', '2 steps'. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A word of a shell command, quoted where it must be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
