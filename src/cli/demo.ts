import { Command } from 'commander';
import { comparisonTable } from '../report/comparison_table';
import { METHOD_TITLES } from '../report/method_names';
import { type DemoExample, runDemo } from '../runs/run_demo_node';
import { backendOption, startBackend } from './backend';
import { watchMethods, withoutLogs, writeComparison } from './compare';
import { interruptible } from './interruptible';
import { printResult } from './output';
import { watchTraining } from './watch_training';

/** `ilrec demo`: `runDemo`, then the table, five users and report.html. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Generate a small shop, train popularity, Markov, SASRec, SFT and ILRec on it, and compare them.')
    .option('--out <dir>', 'where data, runs and report.html go', 'runs/demo')
    .option('--quick', 'a shorter form')
    .addOption(backendOption('where to compute; the numbers in README.md are those of wasm').default('wasm'))
    .option('--json', 'print one JSON object')
    .action(
      async ({ out, quick, backend, json }: { out: string; quick?: boolean; backend: string; json?: boolean }) => {
        await startBackend(backend);
        const { comparison, examples } = await interruptible((signal) =>
          runDemo({ out, quick, signal, ...watchTraining, ...watchMethods() }),
        );
        const { report } = await writeComparison(out, comparison, {
          title: 'ILRec on a generated shop',
          command: quick === true ? 'npm run demo -- --quick' : 'npm run demo',
          examples,
        });
        const text = [
          comparisonTable(comparison),
          '',
          ...examples.map(exampleText),
          `${comparison.seconds.toFixed(0)} s. Report: ${report}`,
        ].join('\n');
        printResult(json, { ...withoutLogs(comparison), examples, report }, text);
      },
    );
}

function exampleText({ user, history, target, lists }: DemoExample): string {
  const lines = [`${user} bought, oldest first:`, ...history.map((title) => `    ${title}`), `  and then: ${target}`];
  for (const { method, titles } of lists) {
    lines.push(
      `  ${METHOD_TITLES[method]} recommends:`,
      ...titles.map((title) => `    ${title === target ? '✓' : ' '} ${title}`),
    );
  }
  return lines.join('\n') + '\n';
}
