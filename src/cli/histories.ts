import { readFile } from 'node:fs/promises';
import { readCsv } from '../data/csv_rows';
import { IlrecError } from '../errors';
import type { Catalogue } from '../recommender/catalogue';
import { namesOfJson } from '../recommender/names_of_json';

/** Where `ilrec recommend` finds a history; exactly one is given. */
export interface HistoryOptions {
  history?: string;
  historyFile?: string;
  item?: readonly string[];
}

/**
 * The names in a history of the command line: a list with commas, JSON, a file, stdin, or `--item` again and again.
 *
 * @throws IlrecError when a file cannot be read or is no list.
 */
export async function readHistory(
  { history, historyFile, item }: HistoryOptions,
  catalogue: Catalogue,
): Promise<readonly string[]> {
  if (item !== undefined) return item;
  if (historyFile !== undefined) return namesInText(await textOfFile(historyFile), '--history-file', historyFile);
  if (history === '-') return namesInText(await textOfStdin(), '--history -', 'stdin');
  return namesInArgument(history ?? '', catalogue);
}

/** The names in a text of one id or title a line, or a JSON list. */
function namesInText(text: string, option: string, source: string): string[] {
  const content = text.replace(/^\ufeff/, '');
  if (/\.json$/i.test(source) || content.trimStart().startsWith('[')) {
    const json = jsonOf(content);
    if (json !== undefined) return namesOfJson(json, option);
    if (/\.json$/i.test(source))
      throw new IlrecError(`${option} must be a JSON list of ids or titles, got a damaged one in ${source}`);
  }
  return content
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function namesInArgument(text: string, catalogue: Catalogue): string[] {
  if (text.trimStart().startsWith('[')) {
    const json = jsonOf(text);
    if (Array.isArray(json)) return namesOfJson(json, '--history');
  }
  const names = catalogue.split(text);
  return /(^|,)\s*"/.test(text) && catalogue.lacks(names) ? quotedNames(text) : names;
}

/** Names in quotes, as in a row of a CSV: `"A, big",B`. */
function quotedNames(text: string): string[] {
  const { header } = readCsv('--history', { name: 'the list', text: text.replace(/,\s+"/g, ',"') });
  return header.filter((name) => name !== '');
}

/** undefined where the text is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function textOfFile(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => {
    throw new IlrecError(`--history-file must be a file that can be read, got ${path}; check the path`);
  });
}

async function textOfStdin(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
