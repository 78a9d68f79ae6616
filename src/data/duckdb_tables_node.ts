import type { GroupedRows } from './interaction_table';
import { type DuckDb, quoted } from './duckdb_node';

/** A table of texts for DuckDB, and which of its columns is what. */
export interface DuckDbTable {
  /** An expression after FROM. */
  readonly from: string;
  /** Expressions of texts; those of `time` and `rating` where they count. */
  readonly columns: { user: string; item: string; time?: string; rating?: string };
  readonly minRating?: number;
}

/** What was read; the ids are in the order of their first rows. */
export interface DuckDbRows extends GroupedRows {
  readonly belowRating: number;
}

const RATING = '[+-]?(\\d+\\.?\\d*|\\.\\d+)';
const WHOLE = '[+-]?\\d{1,19}';
const DECIMAL = '[+-]?\\d{1,15}(\\.\\d{0,9})?';
const DATE = '\\d{4}-\\d\\d-\\d\\d([T ]([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?)?';

/**
 * Reads and groups a large table by DuckDB, which sorts on disk where memory is short.
 *
 * It takes only what it reads as `InteractionTable` does, beyond doubt: texts that are all whole numbers, decimals or ISO
 * dates as times. All else is left to `InteractionTable`, which also has the errors for it.
 *
 * @returns null where `InteractionTable` must read the table.
 */
export async function groupByDuckDb(db: DuckDb, { from, columns, minRating }: DuckDbTable): Promise<DuckDbRows | null> {
  const { user, item, time, rating } = columns;
  const taken = [
    `${user} AS u`,
    `${item} AS i`,
    ...(time === undefined ? [] : [`${time} AS t`]),
    ...(rating === undefined ? [] : [`${rating} AS rating`]),
  ];
  await db.run(`CREATE TABLE raw AS SELECT ${taken.join(', ')} FROM ${from}`);
  let [belowRating, kept] = [0, 'true'];
  if (minRating !== undefined) {
    const isRating = `coalesce(regexp_full_match(trim(rating), ${quoted(RATING)}), false)`;
    const isBelow = `try_cast(trim(rating) AS DOUBLE) < ${minRating}`;
    const [odd, below] = await one(
      db,
      `SELECT count(*) FILTER (NOT ${isRating}), count(*) FILTER (${isBelow}) FROM raw`,
    );
    if (odd > 0) return null;
    belowRating = below;
    kept = `NOT (${isBelow})`;
  }
  await db.run(`CREATE VIEW kept AS SELECT rowid AS place, * FROM raw WHERE ${kept}`);
  const [length, blank] = await one(db, 'SELECT count(*), count(*) FILTER (u IS NULL OR i IS NULL) FROM kept');
  if (length === 0 || blank > 0) return null;
  const value = time === undefined ? '0' : await timeExpression(db, length);
  if (value === null) return null;
  for (const [table, column] of [
    ['users', 'u'],
    ['items', 'i'],
  ])
    await db.run(
      `CREATE TABLE ${table} AS SELECT ${column} AS id, (row_number() OVER (ORDER BY min(place)) - 1)::INTEGER AS n ` +
        `FROM kept GROUP BY ${column}`,
    );
  const [userIds, itemIds] = [await idsOf(db, 'users'), await idsOf(db, 'items')];
  return {
    userIds,
    itemIds,
    belowRating,
    ...(await sequencesOf(db, value, length, userIds.length, time !== undefined)),
  };
}

/** Times as numbers of 8 bytes that keep their order, or null where they have no form that is plain. */
async function timeExpression(db: DuckDb, length: number): Promise<string | null> {
  const count = (pattern: string): string => `count(*) FILTER (regexp_full_match(t, ${quoted(pattern)}))`;
  const [whole, decimal, date] = await one(db, `SELECT ${[WHOLE, DECIMAL, DATE].map(count).join(', ')} FROM kept`);
  if (date === length) {
    const [failed] = await one(db, 'SELECT count(*) FILTER (try_cast(t AS TIMESTAMP) IS NULL) FROM kept');
    return failed > 0 ? null : 'epoch_us(t::TIMESTAMP)';
  }
  if (whole !== length && decimal !== length) return null;
  const type = whole === length ? 'BIGINT' : 'DOUBLE';
  const size = `abs(try_cast(t AS DOUBLE))`;
  const unit = `CASE ${[1e17, 1e14, 1e11, 1e8].map((from, i) => `WHEN ${size} >= ${from} THEN ${i}`).join(' ')} END`;
  const rounded = `(${size} >= ${2 ** 53} AND ${size} < 1e17)`; // as a double, which is what `TimeColumn` keeps
  const [units, failed] = await one(
    db,
    `SELECT count(DISTINCT ${unit}), count(*) FILTER (try_cast(t AS ${type}) IS NULL OR ${rounded}) FROM kept`,
  );
  return units > 1 || failed > 0 ? null : `t::${type}`;
}

async function idsOf(db: DuckDb, table: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const [column] of db.columns(`SELECT id FROM ${table} ORDER BY n`))
    for (const id of column as string[]) ids.push(id);
  return ids;
}

async function sequencesOf(
  db: DuckDb,
  time: string,
  length: number,
  numUsers: number,
  timed: boolean,
): Promise<Pick<GroupedRows, 'sequences' | 'repeated'>> {
  const all = new Int32Array(length); // item numbers of all users, which the sequences are parts of
  const sequences: Int32Array[] = [];
  const seen = new Set<number>(); // items of the same user at the same time
  let start = 0;
  let at = 0;
  let user = 0;
  let last: unknown;
  const sorted =
    `SELECT users.n, items.n, ${time} AS time FROM kept JOIN users ON u = users.id JOIN items ON i = items.id ` +
    'ORDER BY users.n, time, place';
  for await (const [users, items, times] of db.columns(sorted)) {
    for (let row = 0; row < users.length; row++) {
      if (users[row] !== user) {
        sequences.push(all.subarray(start, at));
        start = at;
        user = users[row] as number;
        seen.clear();
      } else if (!timed || times[row] !== last) seen.clear();
      last = times[row];
      const item = items[row] as number;
      if (seen.size < seen.add(item).size) all[at++] = item;
    }
  }
  sequences.push(all.subarray(start, at));
  if (sequences.length !== numUsers) throw new Error(`${sequences.length} sequences of ${numUsers} users`);
  return { sequences, repeated: length - at };
}

/** The numbers of a result with one row. */
async function one(db: DuckDb, sql: string): Promise<number[]> {
  for await (const columns of db.columns(sql)) return columns.map(([value]) => Number(value));
  return [];
}
