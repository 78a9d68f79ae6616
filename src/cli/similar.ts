import { Command } from 'commander';
import { similar } from '../runs/recommend_run';
import { backendOption, startBackend } from './backend';
import { itemTable } from './item_table';
import { integerOption, printResult } from './output';

interface Options {
  run: string;
  k?: number;
  backend: string;
  json?: boolean;
}

/** `ilrec similar`: `similar`. */
export function similarCommand(): Command {
  return new Command('similar')
    .description("List the items that a finished run's model takes to be like an item.")
    .argument('<item>', 'id or title of the item')
    .requiredOption('--run <run>', 'a run folder')
    .option('--k <n>', 'how many items (default: 10, or all others)', integerOption('--k', 1))
    .addOption(backendOption())
    .option('--json', 'print one JSON object')
    .action(async (item: string, { run, k, backend, json }: Options) => {
      await startBackend(backend);
      const items = await similar({ run, item, k });
      const rows = items.map(({ id, title, similarity }) => ({ id, title, value: similarity }));
      printResult(json, { items }, itemTable('similarity', rows));
    });
}
