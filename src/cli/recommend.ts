import { Command } from 'commander';
import { recommend } from '../runs/recommend_run';
import { backendOption, startBackend } from './backend';
import { integerOption, listOption, printResult } from './output';

interface Options {
  run: string;
  history: string[];
  k: number;
  excludeSeen?: boolean;
  backend: string;
  json?: boolean;
}

/** `ilrec recommend`: `recommend`. */
export function recommendCommand(): Command {
  return new Command('recommend')
    .description('Recommend items after a history, with a finished run.')
    .requiredOption('--run <run>', 'a run folder')
    .requiredOption('--history <ids>', 'item ids separated by commas, oldest first', listOption)
    .option('--k <n>', 'how many items', integerOption('--k', 1), 10)
    .option('--exclude-seen', 'leave items of the history out')
    .addOption(backendOption())
    .option('--json', 'print one JSON object')
    .action(async ({ backend, json, ...options }: Options) => {
      await startBackend(backend);
      const items = await recommend(options);
      const lines = items.map(
        ({ id, title, score }, i) =>
          `${String(i + 1).padStart(2)}. ${id}  ${score.toFixed(3)}${title === null ? '' : `  ${title}`}`,
      );
      printResult(json, { items }, lines.join('\n'));
    });
}
