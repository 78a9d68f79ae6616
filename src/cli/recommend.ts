import { Command } from 'commander';
import type { SeenOptions } from '../config/seen_rule';
import { recommend } from '../runs/recommend_run';
import { backendOption, startBackend } from './backend';
import { integerOption, listOption, printResult, seenOf, seenOption } from './output';

interface Options extends SeenOptions {
  run: string;
  history: string[];
  k: number;
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
    .option('--seen <rule>', "items seen: allow or exclude them, or auto for the run's rule", seenOption)
    .option('--exclude-seen', 'the same as --seen exclude')
    .addOption(backendOption())
    .option('--json', 'print one JSON object')
    .action(async ({ seen, excludeSeen, backend, json, ...options }: Options) => {
      const rule = seenOf({ seen, excludeSeen });
      await startBackend(backend);
      const items = await recommend({ ...options, seen: rule });
      const lines = items.map(
        ({ id, title, score }, i) =>
          `${String(i + 1).padStart(2)}. ${id}  ${score.toFixed(3)}${title === null ? '' : `  ${title}`}`,
      );
      printResult(json, { items }, lines.join('\n'));
    });
}
