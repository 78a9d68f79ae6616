import { Command } from 'commander';
import { prepareData } from '../preparation/prepare_data_node';
import { formatPrepareReport } from '../preparation/prepare_report';
import { DATA_FORMATS, SPLIT_RULES } from '../preparation/read_dataset_node';
import { backendOption } from './backend';
import { integerOption, oneOf, printResult } from './output';

interface Options {
  format: string;
  input: string;
  out: string;
  titles?: string;
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

/** `ilrec prepare`: `prepareData`. */
export function prepareCommand(): Command {
  return new Command('prepare')
    .description('Read a dataset, give it semantic ids if it has none, and write a prepared folder.')
    .requiredOption('--format <format>', DATA_FORMATS.join(', '))
    .requiredOption('--input <path>', 'the dataset')
    .requiredOption('--out <dir>', 'the prepared folder to write')
    .option('--titles <file>', 'csv, windows: a file of item and title')
    .option(
      '--split <split>',
      `minionerec, windows: ${SPLIT_RULES.join(' or ')}, the rows of its test.csv`,
      'leave-one-out',
    )
    .option('--user <column>', 'windows: the column of users (default: user_id)')
    .option('--history <column>', 'windows: the column of histories, Python lists (default: history_item_id)')
    .option('--target <column>', 'windows: the column of the items that followed (default: item_id)')
    .option('--k-core <n>', 'keep users and items with at least n interactions', integerOption('--k-core', 0))
    .option('--max-history <n>', 'items of a history that prompts may show', integerOption('--max-history', 1))
    .option('--levels <n>', 'k-means levels of generated semantic ids', integerOption('--levels', 1))
    .option('--codebook-size <n>', 'codes per level', integerOption('--codebook-size', 1))
    .option('--vectors <file>', 'item vectors, JSONL of {"id", "vector"}')
    .option('--seed <n>', 'seed of the semantic ids', integerOption('--seed', 0))
    .addOption(backendOption('accepted, but not used: prepare runs in plain JavaScript'))
    .option('--json', 'print one JSON object')
    .action(async ({ format, split, user, history, target, json, backend: _, ...options }: Options) => {
      const named = user !== undefined || history !== undefined || target !== undefined;
      const { name, checksum, report } = await prepareData({
        format: oneOf('--format', DATA_FORMATS, format),
        split: oneOf('--split', SPLIT_RULES, split),
        ...options,
        ...(named ? { columns: { user, history, target } } : {}),
      });
      printResult(json, { out: options.out, name, checksum, ...report }, formatPrepareReport(name, report));
    });
}
