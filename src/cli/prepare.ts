import { Command } from 'commander';
import { IlrecError } from '../errors';
import { prepareData, type PrepareDataOptions } from '../preparation/prepare_data_node';
import { formatPrepareReport } from '../preparation/prepare_report';
import { DATA_FORMATS, SPLIT_RULES } from '../preparation/read_dataset_node';
import { backendOption } from './backend';
import { integerOption, listOption, oneOf, printResult } from './output';

interface Options {
  format: string;
  input: string;
  out: string;
  titles?: string;
  columns?: PrepareDataOptions['columns'];
  minRating?: number;
  events?: string[];
  user?: string;
  history?: string;
  target?: string;
  split: string;
  kCore?: number;
  maxHistory?: number;
  levels?: number;
  codebookSize?: number;
  vectors?: string;
  seed?: number;
  backend: string;
  json?: boolean;
}

const FORMATS = `
Formats:
  csv           a table with a row per interaction, or a folder of interactions.* and perhaps items.*
  movielens     MovieLens 100K to 32M: u.data, ratings.dat or ratings.csv, with the titles beside it
  amazon        Amazon Reviews 2018 or 2023: Category.jsonl.gz, with meta_Category.jsonl.gz beside it
  steam         UCSD's steam_reviews.json.gz with steam_games.json.gz, or Kaggle's steam-200k.csv
  retailrocket  events.csv
  lc-rec        *.inter.json, with *.index.json and *.item.json
  minionerec    train.csv, valid.csv and test.csv, with *.index.json
  recbole       *.inter, with *.item
  windows       train.csv, valid.csv and test.csv of user, items before and next item

Tables of interactions (csv and the four after it):
  Fields are separated by , ; tab | or ::, which is found out. A file of objects has one JSON object per line.
  Files ending in .gz and .zst are unpacked. Any size is read. Parquet needs the package @duckdb/node-api.
  Columns are found by usual names such as user_id, customer_id, item_id, movieId, sku, asin, timestamp, order_date.
  For others, and for a file without a header:
    --columns user=client,item=article,time=bought   names in the header; title=- for no such column
    --columns user,item,rating,time                  all columns in order; - for one to ignore
  Times are Unix seconds, milliseconds, microseconds or nanoseconds, or dates such as 2021-03-04 12:00:00,
  2021-03-04T12:00:00Z, 04.03.2021 or 3/4/2021, in one form per file. Without times, rows are in order.

Examples:
  npx ilrec prepare --format csv --input orders.csv --titles items.csv --out data/shop
  npx ilrec prepare --format movielens --input ml-1m --min-rating 4 --k-core 5 --out data/ml-1m
`;

/** `ilrec prepare`: `prepareData`. */
export function prepareCommand(): Command {
  return new Command('prepare')
    .description('Read a dataset, give it semantic ids if it has none, and write a prepared folder.')
    .optionsGroup('Required:')
    .requiredOption('--format <format>', `required: ${DATA_FORMATS.join(', ')}; see below`)
    .requiredOption('--input <path>', 'required: the dataset, its folder or its file of interactions')
    .requiredOption('--out <dir>', 'required: the prepared folder to write')
    .optionsGroup('Tables of interactions:')
    .option('--columns <list>', 'csv, windows: which column is what; see below', columnsOption)
    .option('--titles <file>', 'csv, windows: a file of item and title')
    .option('--min-rating <n>', 'leave out rows with a lower rating', numberOption('--min-rating'))
    .option('--events <list>', 'take only rows with these events, such as view,transaction', listOption)
    .optionsGroup('Windows and published splits:')
    .option(
      '--split <split>',
      `minionerec, windows: ${SPLIT_RULES.join(' or ')}, the rows of its test.csv`,
      'leave-one-out',
    )
    .option('--user <column>', 'windows: the column of users (default: user_id)')
    .option('--history <column>', 'windows: the column of histories, Python lists (default: history_item_id)')
    .option('--target <column>', 'windows: the column of the items that followed (default: item_id)')
    .optionsGroup('Filters:')
    .option('--k-core <n>', 'keep users and items with at least n interactions', integerOption('--k-core', 0))
    .option('--max-history <n>', 'items of a history that prompts may show', integerOption('--max-history', 1))
    .optionsGroup('Semantic ids:')
    .option('--levels <n>', 'k-means levels of generated semantic ids', integerOption('--levels', 1))
    .option('--codebook-size <n>', 'codes per level', integerOption('--codebook-size', 1))
    .option('--vectors <file>', 'item vectors, JSONL of {"id", "vector"}')
    .option('--seed <n>', 'seed of the semantic ids', integerOption('--seed', 0))
    .optionsGroup('Options:')
    .addOption(backendOption('accepted, but not used: prepare runs in plain JavaScript'))
    .option('--json', 'print one JSON object')
    .addHelpText('after', FORMATS)
    .action(async ({ format, split, user, history, target, columns, json, backend: _, ...options }: Options) => {
      const windowNames = Object.entries({ user, history, target }).filter(([, name]) => name !== undefined);
      const { name, checksum, report } = await prepareData({
        format: oneOf('--format', DATA_FORMATS, format),
        split: oneOf('--split', SPLIT_RULES, split),
        ...options,
        columns: windowNames.length > 0 ? { ...columns, ...Object.fromEntries(windowNames) } : columns,
      });
      const next = `Wrote ${options.out}. Next: npx ilrec train --data ${inShell(options.out)} --out ${inShell(runFolder(options.out))}`;
      printResult(
        json,
        { out: options.out, name, checksum, ...report },
        `${formatPrepareReport(name, report)}\n\n${next}`,
      );
    });
}

/** `user,item,time`, the columns in order, or `user=customer,item=sku`, names of the header. */
function columnsOption(text: string): PrepareDataOptions['columns'] {
  const parts = listOption(text);
  if (parts.every((part) => !part.includes('='))) return parts;
  const pairs = parts.map((part) => [
    part.slice(0, part.indexOf('=')).trim(),
    part.slice(part.indexOf('=') + 1).trim(),
  ]);
  const wrong = parts.findIndex((part, i) => !part.includes('=') || pairs[i].includes(''));
  if (wrong >= 0)
    throw new IlrecError(
      `--columns must be pairs such as user=customer,item=sku, or all columns in order, got ${parts[wrong]} beside ` +
        'pairs; write role=name',
    );
  const twice = pairs.find(([role], i) => pairs.findIndex(([other]) => other === role) !== i);
  if (twice !== undefined)
    throw new IlrecError(`--columns must name each role once, got ${twice[0]} twice; remove one`);
  return Object.fromEntries(pairs) as PrepareDataOptions['columns'];
}

function numberOption(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isFinite(value) || text.trim() === '')
      throw new IlrecError(`${name} must be a number, got ${text}; 4 of 5 is usual`);
    return value;
  };
}

/** A run folder for the data: runs/ and the name of its folder. */
function runFolder(data: string): string {
  const name =
    data
      .replace(/[\\/]+$/, '')
      .split(/[\\/]/)
      .pop() ?? '';
  return `runs/${/^\.*$/.test(name) ? 'first' : name}`;
}

function inShell(path: string): string {
  return /^[\w./\\:@%+~-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
