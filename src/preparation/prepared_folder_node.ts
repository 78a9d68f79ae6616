import { createHash } from 'node:crypto';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { openText } from '../data/open_text_node';
import { show } from '../data/text_file';
import type { PreparedData, PublishedCase, PublishedCases } from '../data/types';
import { IlrecError } from '../errors';
import { replaceFolder } from '../files/replace_folder_node';

const KIND = 'tfjs-ilrec dataset';
const VERSION = 1;
const DATASET_FILE = 'dataset.json';
const ITEMS_FILE = 'items.jsonl';
const INTERACTIONS_FILE = 'interactions.jsonl';
const CASES_FILE = 'cases.jsonl';

const semanticIdReportSchema = z.strictObject({
  source: z.enum(['given', 'k-means']),
  levels: z.number(),
  codesUsed: z.array(z.number()),
  perplexity: z.array(z.number()),
  distinct: z.number(),
  collisions: z.number(),
  codebookSize: z.number().optional(),
  collisionsBeforeLastLevel: z.number().optional(),
  residual: z.array(z.number()).optional(),
});
const datasetSchema = z.strictObject({
  kind: z.literal(KIND),
  version: z.literal(VERSION),
  name: z.string(),
  checksum: z.string(),
  report: z.strictObject({
    format: z.string(),
    users: z.number(),
    items: z.number(),
    interactions: z.number(),
    kCore: z.number(),
    maxHistory: z.number().nullable(),
    cases: z.strictObject({ valid: z.number(), test: z.number() }).optional(),
    dropped: z.strictObject({ users: z.number(), items: z.number(), interactions: z.number() }),
    itemsWithoutInteractions: z.number(),
    sequenceLength: z.strictObject({ min: z.number(), mean: z.number(), max: z.number() }),
    semanticIds: semanticIdReportSchema,
    seed: z.number(),
    notes: z.array(z.string()),
  }),
});

/**
 * Writes a prepared folder.
 *
 * It holds dataset.json (name, checksum, report), items.jsonl ({id, title?, semanticId}; item number = line number - 1)
 * and interactions.jsonl ({user, items}). A published split adds cases.jsonl ({split, history, target}). The folder is
 * written beside `out` and then renamed, so `out` is never half written.
 *
 * @param data what `prepareInteractions` returned.
 * @param out the folder to write. An earlier prepared folder is replaced; a folder with anything else is refused.
 * @returns the data with its checksum.
 * @throws IlrecError when `out` is a file, holds something else, or cannot be written. `out` is then as it was.
 * @example
 * ```ts
 * import { demoCatalogue, prepareInteractions } from 'tfjs-ilrec';
 * import { loadPrepared, writePrepared } from 'tfjs-ilrec/node';
 *
 * const data = prepareInteractions(demoCatalogue({ numItems: 40, numUsers: 60 }));
 * const { checksum } = await writePrepared(data, 'demo');
 * console.log((await loadPrepared('demo')).checksum === checksum); // true
 * ```
 */
export async function writePrepared(data: PreparedData, out: string): Promise<PreparedData> {
  return await writeFolder('writePrepared', data, out);
}

/** Does what `writePrepared` says. @param caller the public function that errors name. */
export async function writeFolder(caller: string, data: PreparedData, out: string): Promise<PreparedData> {
  await checkFolder(caller, out);
  const items =
    data.itemIds
      .map((id, item) =>
        JSON.stringify({
          id,
          ...(data.titles?.[item] != null && { title: data.titles[item] }),
          semanticId: data.semanticIds[item],
        }),
      )
      .join('\n') + '\n';
  const interactions =
    data.userIds.map((user, row) => JSON.stringify({ user, items: [...data.sequences[row]] })).join('\n') + '\n';
  const cases = data.cases && linesOfCases(data.cases);
  const checksum = checksumOf(items, interactions, cases);
  try {
    await replaceFolder(out, async (aside) => {
      await writeFile(`${aside}/${ITEMS_FILE}`, items);
      await writeFile(`${aside}/${INTERACTIONS_FILE}`, interactions);
      if (cases !== undefined) await writeFile(`${aside}/${CASES_FILE}`, cases);
      await writeFile(
        `${aside}/${DATASET_FILE}`,
        JSON.stringify({ kind: KIND, version: VERSION, name: data.name, checksum, report: data.report }, null, 2) +
          '\n',
      );
    });
  } catch (error) {
    throw new IlrecError(
      `${caller}: the folder ${out} must be writable, got ` +
        `${error instanceof Error ? error.message : String(error)}; choose another folder`,
    );
  }
  return { ...data, checksum };
}

/**
 * Reads a prepared folder, as `prepareData` or `writePrepared` wrote it.
 *
 * @param dir path of the folder.
 * @returns the prepared data with its report and checksum.
 * @throws IlrecError when a file is missing, damaged, of another version, or changed since it was written.
 * @example
 * ```ts
 * import { loadPrepared } from 'tfjs-ilrec/node';
 *
 * const { userIds, sequences, checksum } = await loadPrepared('data');
 * console.log(sequences.length === userIds.length, checksum?.length); // true 64
 * ```
 */
export async function loadPrepared(dir: string): Promise<PreparedData> {
  const dataset = await openText(
    'loadPrepared',
    `${dir}/${DATASET_FILE}`,
    'run `ilrec prepare` with --out at that folder first',
  );
  let json: unknown;
  try {
    json = JSON.parse(dataset.text);
  } catch {
    throw new IlrecError(
      `loadPrepared: ${dir}/${DATASET_FILE} must be valid JSON, got a damaged file; run \`ilrec prepare\` again`,
    );
  }
  const parsed = datasetSchema.safeParse(json);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw new IlrecError(
      `loadPrepared: ${dir}/${DATASET_FILE} must have the fields that this release writes, got at ` +
        `"${path.join('.')}": ${message}; run \`ilrec prepare\` again`,
    );
  }
  const { name, checksum, report } = parsed.data;
  const items = (await openText('loadPrepared', `${dir}/${ITEMS_FILE}`)).text;
  const interactions = (await openText('loadPrepared', `${dir}/${INTERACTIONS_FILE}`)).text;
  const cases = report.cases && (await openText('loadPrepared', `${dir}/${CASES_FILE}`)).text;
  if (checksumOf(items, interactions, cases) !== checksum) {
    throw new IlrecError(
      `loadPrepared: ${cases === undefined ? `${ITEMS_FILE} and ${INTERACTIONS_FILE}` : `${ITEMS_FILE}, ${INTERACTIONS_FILE} and ${CASES_FILE}`} of ${dir} must be unchanged since they were written, got another checksum; run \`ilrec prepare\` again`,
    );
  }
  const itemRows = rowsOf(`${dir}/${ITEMS_FILE}`, items, isItemRow);
  if (new Set(itemRows.map(({ id }) => id)).size < itemRows.length)
    throw new IlrecError(
      `loadPrepared: ${dir}/${ITEMS_FILE} must have each item once, got one again; run \`ilrec prepare\` again`,
    );
  const isNumber = (item: unknown): item is number => isCount(item) && item < itemRows.length;
  const isUserRow = (row: Row): row is UserRow =>
    typeof row.user === 'string' && Array.isArray(row.items) && row.items.every(isNumber);
  const isCaseRow = (row: Row): row is CaseRow =>
    (row.split === 'valid' || row.split === 'test') &&
    Array.isArray(row.history) &&
    row.history.every(isNumber) &&
    isNumber(row.target) &&
    (row.user === undefined || isCount(row.user));
  const userRows = rowsOf(`${dir}/${INTERACTIONS_FILE}`, interactions, isUserRow);
  return {
    name,
    checksum,
    report,
    itemIds: itemRows.map(({ id }) => id),
    ...(itemRows.some(({ title }) => title !== undefined) && { titles: itemRows.map(({ title }) => title ?? null) }),
    semanticIds: itemRows.map(({ semanticId }) => semanticId),
    userIds: userRows.map(({ user }) => user),
    sequences: userRows.map((row) => Int32Array.from(row.items)),
    ...(cases !== undefined && { cases: readCases(rowsOf(`${dir}/${CASES_FILE}`, cases, isCaseRow)) }),
  };
}

/**
 * Refuses to overwrite anything but an earlier prepared folder or an empty one.
 *
 * @param caller the public function that errors name.
 */
export async function checkFolder(caller: string, out: string): Promise<void> {
  const found = await stat(out).catch(() => null);
  if (found === null) return;
  if (!found.isDirectory())
    throw new IlrecError(`${caller}: out must be a folder, got the file ${out}; choose another name`);
  const names = await readdir(out);
  if (names.length === 0) return;
  const dataset = await readFile(`${out}/${DATASET_FILE}`, 'utf8').catch(() => '');
  const strange = names.find((name) => ![DATASET_FILE, ITEMS_FILE, INTERACTIONS_FILE, CASES_FILE].includes(name));
  if (strange !== undefined || !dataset.includes(`"kind": "${KIND}"`)) {
    throw new IlrecError(
      `${caller}: out must be a new, empty or prepared folder, got ${out}, which holds ${strange ?? names[0]}; ` +
        'choose another folder',
    );
  }
}

function checksumOf(...texts: readonly (string | undefined)[]): string {
  const hash = createHash('sha256');
  for (const text of texts) if (text !== undefined) hash.update(text);
  return hash.digest('hex');
}

function linesOfCases(cases: PublishedCases): string {
  const lines = (['valid', 'test'] as const).flatMap((split) =>
    cases[split].map(
      ({ history, target, user }) => JSON.stringify({ split, history: [...history], target, user }) + '\n',
    ),
  );
  return lines.join('');
}

function readCases(rows: readonly CaseRow[]): PublishedCases {
  const cases = { valid: [] as PublishedCase[], test: [] as PublishedCase[] };
  for (const { split, history, ...rest } of rows) cases[split].push({ history: Int32Array.from(history), ...rest });
  return cases;
}

type Row = Readonly<Record<string, unknown>>;
/** A line of items.jsonl. */
type ItemRow = { id: string; title?: string; semanticId: string[] };
/** A line of interactions.jsonl. */
type UserRow = { user: string; items: number[] };
/** A line of cases.jsonl. */
type CaseRow = Omit<PublishedCase, 'history'> & { split: 'valid' | 'test'; history: number[] };

function isItemRow(row: Row): row is ItemRow {
  const { id, title, semanticId } = row;
  return (
    typeof id === 'string' &&
    (title === undefined || typeof title === 'string') &&
    Array.isArray(semanticId) &&
    semanticId.every((token) => typeof token === 'string')
  );
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

/**
 * The rows of a JSONL file.
 *
 * @throws IlrecError that names the first line which is no such row.
 */
function rowsOf<R extends Row>(path: string, text: string, isRow: (row: Row) => row is R): R[] {
  const rows: R[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch {
      row = null;
    }
    if (typeof row !== 'object' || row === null || !isRow(row as Row))
      throw new IlrecError(
        `loadPrepared: ${path} line ${index + 1} must be a row that this release writes, got ${show(line)}; run ` +
          '`ilrec prepare` again',
      );
    rows.push(row as R);
  }
  return rows;
}
