import { Command } from 'commander';
import type { SeenOptions, SeenRule } from '../config/seen_rule';
import { IlrecError } from '../errors';
import { Catalogue } from '../recommender/catalogue';
import { quoted } from '../recommender/printable';
import { listsFor, probabilityText, type RecommendationList } from '../recommender/recommend_items';
import { type LoadedRun, loadRun } from '../runs/load_run';
import { recommendUsers } from '../runs/recommend_users';
import { backendOption, startBackend } from './backend';
import { type HistoryOptions, readHistory } from './histories';
import { itemTable } from './item_table';
import { integerOption, printResult, remark, seenOf, seenOption } from './output';
import { watchEvaluation } from './watch_training';

interface Options extends SeenOptions, HistoryOptions {
  run: string;
  users?: string;
  out?: string;
  k?: number;
  skipUnknown?: boolean;
  backend: string;
  json?: boolean;
}

/** What a call asks of all its lists. */
interface Asked {
  readonly k?: number;
  readonly seen?: SeenRule | 'auto';
  readonly skipUnknown?: boolean;
}

/** `ilrec recommend`: `recommendLists`, or `recommendUsers` with `--users`. */
export function recommendCommand(): Command {
  return new Command('recommend')
    .description('Recommend items after a history, or for many users, with a finished run.')
    .requiredOption('--run <run>', 'a run folder')
    .option('--history <items>', 'ids or titles separated by commas, oldest first; or - for a list on stdin')
    .option('--history-file <file>', 'a file of one id or title a line, or a JSON list')
    .option('--item <item>', 'one id or title; again for the next one', (item, all: string[] = []) => [...all, item])
    .option('--users <file>', 'many users: JSONL or CSV of user and history, or a prepared folder')
    .option('--out <file>', 'with --users: the file to write, .csv, .jsonl or .parquet')
    .option('--k <n>', 'how many items (default: 10, or all of a smaller catalogue)', integerOption('--k', 1))
    .option('--seen <rule>', "items seen: allow or exclude them, or auto for the run's rule", seenOption)
    .option('--exclude-seen', 'the same as --seen exclude')
    .option('--skip-unknown', 'leave unknown items out of histories')
    .addOption(backendOption())
    .option('--json', 'print one JSON object')
    .action(async ({ run, users, out, k, seen, excludeSeen, skipUnknown, backend, json, ...given }: Options) => {
      const asked: Asked = { k, seen: seenOf({ seen, excludeSeen }), skipUnknown };
      refuseUnclear({ ...given, users, out });
      await startBackend(backend);
      if (users !== undefined && out !== undefined) await recommendAll({ ...asked, run, users, out }, json);
      else await recommendOne(run, given, asked, json);
    });
}

/** @throws IlrecError unless exactly one option gives the history, and `--users` and `--out` come together. */
function refuseUnclear({ users, out, ...given }: HistoryOptions & Pick<Options, 'users' | 'out'>): void {
  const options = { '--history': given.history, '--history-file': given.historyFile, '--item': given.item };
  const named = Object.entries({ ...options, '--users': users }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (named.length !== 1)
    throw new IlrecError(
      'recommend needs one of --history, --history-file, --item and --users, got ' +
        `${named.length === 0 ? 'none; --history "" is for people without a history' : named.join(' and ')}`,
    );
  if ((users === undefined) !== (out === undefined))
    throw new IlrecError(
      users === undefined
        ? `--out is for the lists of --users, got it beside ${named[0]}; redirect the output of --json instead`
        : '--users needs --out, the file to write; give one that ends in .csv, .jsonl or .parquet',
    );
}

async function recommendOne(folder: string, given: HistoryOptions, asked: Asked, json?: boolean): Promise<void> {
  const run = await loadRun(folder);
  try {
    const catalogue = new Catalogue(run.items);
    const names = await readHistory(given, catalogue);
    const [list] = await listsFor(run, [names], asked, 'recommend', catalogue);
    const { items, basis, skipped } = list;
    remarkOn(run, list, asked);
    const hasFusion = (await run.fusion()) !== undefined;
    printResult(json, { items, basis, skipped }, textOf(list, probabilityText(run, list, hasFusion)));
  } finally {
    run.dispose();
  }
}

async function recommendAll(
  options: Asked & { run: string; users: string; out: string },
  json?: boolean,
): Promise<void> {
  const done = await recommendUsers({ ...options, onProgress: watchEvaluation('recommend') });
  const { users, items, coldStarts, skipped } = done;
  if (coldStarts > 0) remark(`${counted(coldStarts, 'user has', 'users have')} no known item: the most popular items.`);
  if (skipped > 0) remark(`${counted(skipped, 'unknown item was', 'unknown items were')} left out of histories.`);
  printResult(json, done, `${counted(users, 'list', 'lists')}, ${counted(items, 'item', 'items')}: ${options.out}`);
}

/** What the user should know about a list beside it. */
function remarkOn(run: LoadedRun, { items, basis, skipped, leftOut }: RecommendationList, { k = 0 }: Asked): void {
  if (skipped.length > 0)
    remark(`${counted(skipped.length, 'unknown item', 'unknown items')} left out: ${skipped.map(quoted).join(', ')}`);
  if (basis === 'cold-start') remark('The history is empty: these are the items with the most training interactions.');
  const { beamWidth } = run.config.evaluation;
  if (basis === 'history' && run.scorer === null && run.languageModel !== null && k > beamWidth)
    remark(`The search has ${k} beams instead of ${beamWidth}, so that the list is full.`);
  if (items.length < k)
    remark(
      `The list has ${counted(items.length, 'item', 'items')} instead of ${k}` +
        (leftOut > 0
          ? `: ${leftOut} of the catalogue's ${run.items.length} are in the history; --seen allow lists them too.`
          : '.'),
    );
}

/** @param meaning of the probabilities; null where the list has none. */
function textOf({ items }: RecommendationList, meaning: string | null): string {
  const isProbability = items.every(({ probability }) => probability !== null);
  const rows = items.map(({ id, title, score, probability }) => ({ id, title, value: probability ?? score }));
  return isProbability && meaning !== null
    ? `${itemTable('probability', rows)}\nprobability: ${meaning}`
    : itemTable('score', rows);
}

function counted(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}
