import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { IlrecError } from '../errors';
import { readLcRec } from '../data/lc_rec';
import { readMiniOneRec } from '../data/minionerec';
import { isFolder, listFolder, openText } from '../data/open_text_node';
import type { TableColumns } from '../data/column_roles';
import type { PlainOptions } from '../data/plain_table';
import { readPlainPaths } from '../data/plain_table_node';
import { PUBLISHED_TABLES, type PublishedTable, publishedTable } from '../data/published_tables_node';
import { readRecBole } from '../data/recbole';
import type { TextFile } from '../data/text_file';
import { readWindows } from '../data/windows';
import type { InteractionData } from '../data/types';
import { companions, datasetsOf, openOwn, withNotes } from './own_files_node';

/** The formats that `readDataset`, `prepareData` and `ilrec prepare` read. */
export const DATA_FORMATS = ['lc-rec', 'minionerec', 'recbole', 'csv', 'windows', ...PUBLISHED_TABLES] as const;
/** One of `DATA_FORMATS`. */
export type DataFormat = (typeof DATA_FORMATS)[number];
/** How a dataset is split into training and evaluation. */
export const SPLIT_RULES = ['leave-one-out', 'published'] as const;
/** One of `SPLIT_RULES`. */
export type SplitRule = (typeof SPLIT_RULES)[number];

const CALLER = 'readDataset';
const SPLITS = [
  { split: 'train', words: 'train' },
  { split: 'valid', words: 'valid|validation|val|dev' },
  { split: 'test', words: 'test' },
] as const;

/** Names of the columns of `--format windows`. */
export interface WindowNames {
  user?: string;
  history?: string;
  target?: string;
}

/** Options of `readDataset`. */
export interface ReadDatasetOptions extends Omit<PlainOptions, 'columns'> {
  format: DataFormat;
  /** The dataset's folder, or its file of interactions. */
  input: string;
  /**
   * csv: which column is what, see `TableColumns`; default: the usual names. windows: the names of the columns; default
   * user_id, history_item_id and item_id.
   */
  columns?: TableColumns | WindowNames;
  /** csv, and windows, where the item's column is that of the target: a file with the columns item and title. Default:
   * items.* or titles.* in the folder, if there is one. */
  titles?: string;
  /**
   * minionerec and windows: 'published' evaluates the rows of its test.csv instead of leave-one-out. Default 'leave-one-out'.
   */
  split?: SplitRule;
}

/**
 * Finds and reads the files of a dataset.
 *
 * A folder is searched for the file names of its format: `*.inter.json`, `*.index.json` and `*.item.json` (lc-rec);
 * train.csv, valid.csv and test.csv with an index or info file (minionerec); `*.inter` and `*.item` (recbole);
 * interactions.* and items.* or titles.* ending in csv, tsv, jsonl or ndjson (csv); train.csv, valid.csv and test.csv,
 * with items.csv (windows); the published files of MovieLens 100K to 32M (movielens), Amazon Reviews 2018 and 2023
 * (amazon), UCSD's or Kaggle's Steam (steam) and RetailRocket (retailrocket). Tables of interactions may be compressed
 * (.gz, .zst) and of any size.
 *
 * Index, item and info files are taken only if they have the name of the interactions, such as A.index.json beside
 * A.inter.json. A note names those of other datasets.
 *
 * @param options format, path and split; see `ReadDatasetOptions`.
 * @returns the data as `readLcRec`, `readMiniOneRec`, `readRecBole`, `readPlain` or `readWindows`
 *   returns it.
 * @throws IlrecError when an option does not fit the format, a file is missing, several files fit, or a file is
 *   malformed.
 * @example
 * ```ts
 * import { readDataset } from 'tfjs-ilrec/node';
 *
 * const { userIds, sequences } = await readDataset({ format: 'csv', input: 'shop' });
 * console.log(sequences.length === userIds.length); // true
 * ```
 */
export async function readDataset({
  format,
  input,
  titles,
  split = 'leave-one-out',
  columns,
  minRating,
  events,
}: ReadDatasetOptions): Promise<InteractionData> {
  if (!DATA_FORMATS.includes(format))
    throw new IlrecError(
      `${CALLER}: format must be one of ${DATA_FORMATS.join(', ')}, got ${String(format)}; choose one of them`,
    );
  if (titles !== undefined && format !== 'csv' && format !== 'windows')
    throw new IlrecError(
      `${CALLER}: titles must be left out with format ${format}, got ${titles}; that format has its own titles`,
    );
  if (split !== 'leave-one-out' && format !== 'minionerec' && format !== 'windows')
    throw new IlrecError(
      `${CALLER}: split must be leave-one-out with format ${format}, got ${split}; only minionerec and ` +
        'windows have a published split',
    );
  if (columns !== undefined && format !== 'windows' && format !== 'csv')
    throw new IlrecError(`${CALLER}: columns must be left out with format ${format}; they are for csv and windows`);
  const ofTables = format === 'csv' || isPublished(format);
  for (const [name, value] of [['minRating', minRating] as const, ['events', events] as const])
    if (value !== undefined && !ofTables)
      throw new IlrecError(
        `${CALLER}: ${name} must be left out with format ${format}, got ${String(value)}; it is for csv and the ` +
          'published tables',
      );
  if ((await stat(input).catch(() => null)) === null)
    throw new IlrecError(
      `${CALLER}: ${input} must be a readable file, got nothing at that path; give the path of the dataset`,
    );
  if (format === 'lc-rec') return await readLcRecFolder(input);
  if (format === 'minionerec') return await readMiniOneRecFolder(input, split);
  if (format === 'recbole') return await readRecBoleFolder(input);
  if (format === 'windows' && columns !== undefined) checkWindowNames(columns);
  if (format === 'windows')
    return await readWindowsFolder(input, { titles, split, columns: columns as WindowNames | undefined });
  if (format !== 'csv') {
    const found = await publishedTable(CALLER, format, input);
    return await readPlainPaths(CALLER, { ...found, minRating, events: events ?? found.events });
  }
  return await readPlainFolder(input, { titles, columns: columns as TableColumns | undefined, minRating, events });
}

function isPublished(format: DataFormat): format is PublishedTable {
  return (PUBLISHED_TABLES as readonly string[]).includes(format);
}

function checkWindowNames(columns: TableColumns | WindowNames): void {
  const wrong = Object.keys(columns).find((name) => !['user', 'history', 'target'].includes(name));
  if (wrong !== undefined)
    throw new IlrecError(
      `${CALLER}: columns must be of user, history, target with format windows, got ${wrong}; write ` +
        'history=NAME for the column of lists',
    );
}

async function readLcRecFolder(input: string): Promise<InteractionData> {
  const { folder, file } = await folderAndFile(input);
  const path = file ?? join(folder, await onlyOne(folder, /\.inter\.json$/, '*.inter.json'));
  const own = await companions(CALLER, path, '.inter.json', { index: '.index.json', item: '.item.json' });
  return withNotes(readLcRec({ inter: await openText(CALLER, path), ...own.files }), own.notes);
}

/**
 * The splits are files beside the index (train.csv) or folders (train/Industrial_and_Scientific.csv, index/, info/).
 */
async function readMiniOneRecFolder(input: string, split: SplitRule): Promise<InteractionData> {
  if (!(await isFolder(input)))
    throw new IlrecError(
      `${CALLER}: input must be the folder of a MiniOneRec dataset, got the file ${input}; give its folder`,
    );
  const { windows, splits, missing, datasets } = await splitFiles(input);
  const indexFolder = (await isFolder(join(input, 'index'))) ? join(input, 'index') : input;
  const infoFolder = (await isFolder(join(input, 'info'))) ? join(input, 'info') : input;
  const endings = { index: '.index.json', item: '.item.json', info: infoFolder === input ? '.info.txt' : '.txt' };
  if (windows.length > 0) {
    const own = await openOwn(CALLER, endings, (kind) => (kind === 'info' ? infoFolder : indexFolder), {
      of: windows.map((file) => file.name).join(' and '),
      datasets,
      behind: /^(?:\.|[_-]\d)/,
      isDataset: () => false,
    });
    return withNotes(readMiniOneRec({ windows, splits, split, missing, ...own.files }), own.notes);
  }
  if (split === 'published')
    throw new IlrecError(
      `${CALLER}: ${input} must have test.csv for the published split, got none; use leave-one-out instead`,
    );
  const path = join(input, await onlyOne(input, /\.inter\.json$/, 'train.csv, valid.csv, test.csv or *.inter.json'));
  const own = await companions(CALLER, path, '.inter.json', { index: '.index.json', item: '.item.json' }, indexFolder);
  return withNotes(readLcRec({ inter: await openText(CALLER, path), ...own.files }), own.notes);
}

/** The tables of the splits that are there: train.csv beside the others, or train/*.csv. */
async function splitFiles(input: string): Promise<SplitFiles> {
  const windows: TextFile[] = [];
  const splits: SplitFiles['splits'] = [];
  const missing: string[] = [];
  for (const { split: name, words } of SPLITS) {
    const beside = new RegExp(`^(.*[._-])?(${words})([._-].*)?\\.csv$`, 'i');
    const found =
      (await openOptional(input, beside, `${name}.csv`)) ??
      (await openOptional(join(input, name), /\.csv$/i, `${name}/*.csv`));
    if (found === undefined) {
      missing.push(name);
      continue;
    }
    windows.push(found);
    splits.push(name);
  }
  return { windows, splits, missing, datasets: datasetsOf(CALLER, windows) };
}

interface SplitFiles {
  readonly windows: TextFile[];
  readonly splits: (typeof SPLITS)[number]['split'][];
  readonly missing: string[];
  /** The dataset's name in the names of the files, where they have one. */
  readonly datasets: string[];
}

async function readWindowsFolder(
  input: string,
  { titles, split, columns = {} }: Pick<ReadDatasetOptions, 'titles' | 'split'> & { columns?: WindowNames },
): Promise<InteractionData> {
  if (!(await isFolder(input)))
    throw new IlrecError(
      `${CALLER}: input must be the folder of train.csv, valid.csv and test.csv, got the file ${input}; give its folder`,
    );
  const { windows, splits } = await splitFiles(input);
  if (windows.length === 0)
    throw new IlrecError(`${CALLER}: ${input} must have train.csv, valid.csv or test.csv, got none; name them so`);
  const found = (await listFolder(input)).filter((name) => /^(items?|titles?)\.csv$/i.test(name));
  const path = titles ?? (found.length === 0 ? undefined : join(input, oneOf(input, found, 'items.csv or titles.csv')));
  const { user = 'user_id', history = 'history_item_id', target = 'item_id' } = columns;
  return readWindows({
    windows,
    splits,
    split,
    columns: { user, history, target },
    items: path === undefined ? undefined : await openText(CALLER, path, 'check the path of the titles'),
    name: basename(resolve(input)),
  });
}

async function readRecBoleFolder(input: string): Promise<InteractionData> {
  const { folder, file } = await folderAndFile(input);
  const path = file ?? join(folder, await onlyOne(folder, /\.inter$/, '*.inter'));
  const own = await companions(CALLER, path, '.inter', { item: '.item' });
  return withNotes(readRecBole({ inter: await openText(CALLER, path), ...own.files }), own.notes);
}

async function readPlainFolder(
  input: string,
  { titles, ...options }: PlainOptions & { titles?: string },
): Promise<InteractionData> {
  const { folder, file } = await folderAndFile(input);
  const table = (names: string): RegExp =>
    new RegExp(`^(${names})\\.((csv|tsv|jsonl|ndjson)(\\.gz|\\.zst)?|parquet)$`, 'i');
  const found =
    file === undefined && titles === undefined
      ? (await listFolder(folder)).filter((name) => table('items?|titles?').test(name))
      : [];
  return await readPlainPaths(CALLER, {
    ...options,
    interactions:
      file ?? join(folder, await onlyOne(folder, table('interactions?'), 'interactions.csv, .tsv or .jsonl')),
    titles: titles ?? (found.length === 0 ? undefined : join(folder, oneOf(folder, found, 'items.* or titles.*'))),
  });
}

async function folderAndFile(input: string): Promise<{ folder: string; file?: string }> {
  return (await isFolder(input)) ? { folder: input } : { folder: dirname(input), file: input };
}

async function openOptional(folder: string, pattern: RegExp, what: string): Promise<TextFile | undefined> {
  const names = (await listFolder(folder)).filter((name) => pattern.test(name));
  return names.length === 0 ? undefined : await openText(CALLER, join(folder, oneOf(folder, names, what)));
}

async function onlyOne(folder: string, pattern: RegExp, what: string): Promise<string> {
  return oneOf(
    folder,
    (await listFolder(folder)).filter((name) => pattern.test(name)),
    what,
  );
}

function oneOf(folder: string, names: string[], what: string): string {
  if (names.length === 1) return names[0];
  if (names.length === 0)
    throw new IlrecError(`${CALLER}: ${folder} must have a file ${what}, got none; give the dataset's folder as input`);
  throw new IlrecError(
    `${CALLER}: ${basename(folder)} must have only one ${what}, got ${names.join(', ')}; give the file itself as ` +
      'input or move the others away',
  );
}
