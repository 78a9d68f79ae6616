import { Command } from 'commander';
import type { SeenOptions } from '../config/seen_rule';
import { evaluationSummary, type EvaluationResult } from '../evaluation/evaluate_ranking';
import { formatInterval, protocolText } from '../evaluation/protocol';
import { TABLE_METRICS } from '../runs/comparison';
import { evaluateRun } from '../runs/evaluate_run';
import { backendOption, startBackend } from './backend';
import { integerOption, oneOf, printResult, remark, seenOf, seenOption } from './output';
import { watchEvaluation } from './watch_training';

interface Options extends SeenOptions {
  run: string;
  split: string;
  beamWidth?: number;
  users?: number;
  seed?: number;
  data?: string;
  backend: string;
  json?: boolean;
}

/** `ilrec evaluate`: `evaluateRun`. */
export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('Evaluate a finished run by leave-one-out over the whole catalogue.')
    .requiredOption('--run <run>', 'a run folder')
    .option('--split <split>', 'test or valid', 'test')
    .option('--beam-width <n>', "beams of the search (default: the run's)", integerOption('--beam-width', 1))
    .option('--seen <rule>', "items seen: allow or exclude them, or auto for the run's rule", seenOption)
    .option('--exclude-seen', 'the same as --seen exclude')
    .option('--users <n>', 'how many users, drawn by --seed (default: all)', integerOption('--users', 1))
    .option('--seed <n>', 'seed of the draw and of the intervals', integerOption('--seed', 0))
    .option('--data <dir>', 'the prepared folder, if it has moved')
    .addOption(backendOption())
    .option('--json', 'print one JSON object')
    .action(async ({ split, seen, excludeSeen, backend, json, ...options }: Options) => {
      const chosen = oneOf('--split', ['test', 'valid'] as const, split);
      const rule = seenOf({ seen, excludeSeen });
      await startBackend(backend);
      const onProgress = watchEvaluation('evaluate');
      const result = await evaluateRun({ ...options, split: chosen, seen: rule, onProgress });
      const { beamWidth, askedBeamWidth } = result.protocol;
      if (askedBeamWidth !== undefined)
        remark(
          `A beam width of ${askedBeamWidth} is widened to ${beamWidth}: narrower beams may leave fewer items than the ` +
            'cutoffs count.',
        );
      printResult(json, evaluationSummary(result), textOf(result));
    });
}

function textOf(result: EvaluationResult): string {
  const lines = TABLE_METRICS.map(
    (name) => `${name.toUpperCase().padEnd(8)} ${formatInterval(result[name], result.ci95[name])}`,
  );
  return [...lines, `invalid items ${result.invalidItems}`, protocolText(result.protocol)].join('\n');
}
