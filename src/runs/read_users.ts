import { stat } from 'node:fs/promises';
import { columnOf, readCsv } from '../data/csv_rows';
import { openText } from '../data/open_text_node';
import { linesOf, parseJsonLine, type TextFile } from '../data/text_file';
import { IlrecError } from '../errors';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { readDataset } from '../preparation/read_dataset_node';
import type { Catalogue } from '../recommender/catalogue';
import { nameOfJson, namesOfJson } from '../recommender/names_of_json';
import { quoted } from '../recommender/printable';

/** A user and the names of the items of the history, oldest first. */
export interface UserHistory {
  readonly user: string;
  readonly history: readonly string[];
}

const CALLER = 'recommendUsers';
const USER = ['user', 'user_id', 'userid', 'customer', 'customer_id'];
const HISTORY = ['history', 'items', 'item_ids', 'history_item_id'];

/**
 * Reads users with their histories: a prepared folder; JSONL of {user, history} or of {user, items} with item numbers,
 * as in a prepared folder; a CSV or TSV of user and history; or a table of user, item and time.
 *
 * @param catalogue the run's items: item numbers are theirs, and they tell where a text of several ids is cut.
 * @throws IlrecError when the file cannot be read, or a user occurs twice.
 */
export async function readUsers(path: string, catalogue: Catalogue): Promise<UserHistory[]> {
  const found = await stat(path).catch(() => null);
  const users = found?.isDirectory() === true ? await usersOfFolder(path) : await usersOfFile(path, catalogue);
  const seen = new Set<string>();
  for (const { user } of users) {
    if (seen.has(user))
      throw new IlrecError(
        `${CALLER}: ${path} must hold a user's history once, got ${quoted(user)} again; join the histories`,
      );
    seen.add(user);
  }
  return users;
}

async function usersOfFolder(path: string): Promise<UserHistory[]> {
  const { userIds, sequences, itemIds } = await loadPrepared(path);
  return userIds.map((user, row) => ({ user, history: Array.from(sequences[row], (item) => itemIds[item]) }));
}

async function usersOfFile(path: string, catalogue: Catalogue): Promise<UserHistory[]> {
  const file = await openText(CALLER, path, 'check the path');
  const rows = /^\s*\{/.test(file.text.replace(/^\ufeff/, ''))
    ? usersOfLines(file, catalogue)
    : usersOfTable(file, catalogue);
  if (rows !== null) return rows;
  const { userIds, sequences, itemIds } = await readDataset({ format: 'csv', input: path }); // a row per interaction
  return userIds.map((user, row) => ({ user, history: Array.from(sequences[row], (item) => itemIds[item]) }));
}

/** null where the lines hold interactions. */
function usersOfLines(file: TextFile, catalogue: Catalogue): UserHistory[] | null {
  const users: UserHistory[] = [];
  for (const { line, number } of linesOf(CALLER, file)) {
    const row = parseJsonLine(CALLER, file.name, line, number);
    const at = `${CALLER}: ${file.name} line ${number}`;
    const [userKey, historyKey] = [USER, HISTORY].map((names) =>
      Object.keys(row).find((key) => names.includes(key.toLowerCase())),
    );
    if (historyKey === undefined && Object.keys(row).some((key) => /^item/i.test(key))) return null;
    if (userKey === undefined || historyKey === undefined)
      throw new IlrecError(
        `${at} must have the keys user and history, got ${quoted(Object.keys(row).join(','))}; rename or add one`,
      );
    const value = row[historyKey];
    const history =
      typeof value === 'string'
        ? namesOfCell(value, catalogue)
        : historyKey === 'items'
          ? namesOfItems(value, catalogue, at)
          : namesOfJson(value, `${at}: ${historyKey}`);
    users.push({ user: nameOfJson(row[userKey], `${at}: ${userKey}`), history });
  }
  return users;
}

/** `items` of a prepared folder are item numbers; a list of texts is one of ids or titles. */
function namesOfItems(value: unknown, { items }: Catalogue, at: string): string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'number'))
    return namesOfJson(value, `${at}: items`);
  return value.map((item: number) => {
    if (items[item] !== undefined) return items[item].id;
    throw new IlrecError(
      `${at}: items must hold item numbers from 0 to ${items.length - 1}, got ${item}; use the key history for ids`,
    );
  });
}

/** null where the rows hold interactions. */
function usersOfTable(file: TextFile, catalogue: Catalogue): UserHistory[] | null {
  const [first = ''] = file.text.split(/[\r\n]/, 1);
  const delimiter = [',', '\t', ';', '|'].reduce((best, one) =>
    first.split(one).length > first.split(best).length ? one : best,
  );
  const { header, rows } = readCsv(CALLER, file, delimiter);
  const historyAt = columnOf(CALLER, file.name, header, HISTORY, true);
  if (historyAt < 0) return null;
  const userAt = columnOf(CALLER, file.name, header, USER);
  return Array.from(rows, ({ fields }) => ({
    user: fields[userAt].trim(),
    history: namesOfCell(fields[historyAt], catalogue),
  }));
}

/** The names in one cell: a list of JSON or Python, or ids with commas, bars, semicolons or spaces between them. */
function namesOfCell(cell: string, catalogue: Catalogue): string[] {
  const text = cell.trim();
  if (text.startsWith('[')) {
    const list = listOf(text) ?? listOf(text.replaceAll("'", '"'));
    if (list !== null) return namesOfJson(list, `${CALLER}: a history`);
  }
  for (const separator of ['|', ';', ' ']) {
    const parts = text.split(separator).map((part) => part.trim());
    if (parts.length > 1 && parts.every((part) => part === '' || catalogue.hasId(part)))
      return parts.filter((part) => part !== '');
  }
  return catalogue.split(text);
}

function listOf(text: string): unknown[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
