import { writeFileAtomically } from '../files/atomic_file_node';
import { IlrecError } from '../errors';
import { Catalogue } from '../recommender/catalogue';
import { listsFor, type RecommendationList, type RecommendListsOptions } from '../recommender/recommend_items';
import { loadRun, type LoadRunOptions } from './load_run';
import { readUsers, type UserHistory } from './read_users';

/** What `recommendUsers` reads, asks and writes. */
export interface RecommendUsersOptions extends RecommendListsOptions, LoadRunOptions {
  /** A finished run's directory. */
  run: string;
  /**
   * Users with their histories: JSONL of `{"user": ..., "history": [...]}`, a CSV of user and history, a table of user,
   * item and time, or a prepared folder.
   */
  users: string;
  /** The file to write; its ending says how: .csv, .jsonl or .parquet. */
  out: string;
}

/** What `recommendUsers` did. */
export interface RecommendedUsers {
  readonly out: string;
  /** Users with a list. */
  readonly users: number;
  /** Items of all lists together. */
  readonly items: number;
  /** Users without a known item, whose lists are the most popular items. */
  readonly coldStarts: number;
  /** Names in histories that the catalogue does not have, left out with `skipUnknown`. */
  readonly skipped: number;
}

/** A recommended item as a row of a file. */
interface Row {
  readonly user: string;
  readonly rank: number;
  readonly item: string;
  readonly title: string | null;
  readonly score: number;
  readonly probability: number | null;
  readonly basis: RecommendationList['basis'];
}

type Write = (users: readonly UserHistory[], lists: readonly RecommendationList[]) => Promise<string | Uint8Array>;

const WRITERS: Readonly<Record<string, Write>> = {
  csv: async (users, lists) => csvOf(rowsOf(users, lists)),
  jsonl: async (users, lists) => linesOf(users, lists),
  parquet: (users, lists) => parquetOf(rowsOf(users, lists)),
};

/**
 * Recommends for many users and writes the lists into one file.
 *
 * CSV and Parquet have a row per item: user, rank, item, title, score, probability and basis. JSONL has a line per user
 * with the list. `basis` is `cold-start` where a user has no known item.
 *
 * @param options the run, the users, the file to write, and how lists are made.
 * @returns how many lists and items were written.
 * @throws IlrecError when the run is not finished, the users cannot be read, an item is not in the catalogue and
 *   `skipUnknown` is not set, `out` ends in something else, or it cannot be written.
 * @example
 * ```ts
 * import { recommendUsers } from 'tfjs-ilrec/node';
 *
 * const done = await recommendUsers({ run: 'runs/popularity', users: 'data', out: 'lists.jsonl', k: 3 });
 * console.log(done.users, done.items); // 60 180
 * ```
 */
export async function recommendUsers({
  run: folder,
  users: path,
  out,
  methods,
  ...options
}: RecommendUsersOptions): Promise<RecommendedUsers> {
  const write = WRITERS[/\.(\w+)$/.exec(out)?.[1].toLowerCase() ?? ''];
  if (write === undefined)
    throw new IlrecError(`recommendUsers: out must end in .csv, .jsonl or .parquet, got ${out}; choose another name`);
  const run = await loadRun(folder, { methods });
  try {
    const catalogue = new Catalogue(run.items);
    const users = await readUsers(path, catalogue);
    const histories = users.map(({ history }) => history);
    const lists = await listsFor(run, histories, options, 'recommendUsers', catalogue);
    await writeFileAtomically(out, await write(users, lists), 'recommendUsers');
    const count = (of: (list: RecommendationList) => number): number => lists.reduce((sum, list) => sum + of(list), 0);
    return {
      out,
      users: users.length,
      items: count(({ items }) => items.length),
      coldStarts: count(({ basis }) => (basis === 'cold-start' ? 1 : 0)),
      skipped: count(({ skipped }) => skipped.length),
    };
  } finally {
    run.dispose();
  }
}

function rowsOf(users: readonly UserHistory[], lists: readonly RecommendationList[]): Row[] {
  return lists.flatMap(({ items, basis }, at) =>
    items.map(({ id, ...item }, i) => ({ user: users[at].user, rank: i + 1, item: id, ...item, basis })),
  );
}

function csvOf(rows: readonly Row[]): string {
  const names = ['user', 'rank', 'item', 'title', 'score', 'probability', 'basis'] as const;
  const cell = (value: string | number | null): string => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names.join(','), ...rows.map((row) => names.map((name) => cell(row[name])).join(',')), ''].join('\n');
}

function linesOf(users: readonly UserHistory[], lists: readonly RecommendationList[]): string {
  return lists
    .map(({ items, basis, skipped }, at) => JSON.stringify({ user: users[at].user, basis, skipped, items }) + '\n')
    .join('');
}

async function parquetOf(rows: readonly Row[]): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const column = <Name extends keyof Row>(name: Name): Row[Name][] => rows.map((row) => row[name]);
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'user', data: column('user'), type: 'STRING' },
        { name: 'rank', data: column('rank'), type: 'INT32' },
        { name: 'item', data: column('item'), type: 'STRING' },
        { name: 'title', data: column('title'), type: 'STRING', nullable: true },
        { name: 'score', data: column('score'), type: 'DOUBLE' },
        { name: 'probability', data: column('probability'), type: 'DOUBLE', nullable: true },
        { name: 'basis', data: column('basis'), type: 'STRING' },
      ],
    }),
  );
}
