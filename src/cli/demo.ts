import { Command } from 'commander';
import { comparisonTable } from '../report/comparison_table';
import { titlesOf } from '../report/wording';
import { COMPARED_BY_DEFAULT, findMethod } from '../methods/registry';
import { type DemoExample, runDemo } from '../runs/run_demo';
import { backendOption, startBackend } from './backend';
import { watchMethods, withoutLogs, writeComparison } from './compare';
import { integerOption } from './output';
import { interruptible } from './interruptible';
import { printResult } from './output';
import { watchTraining } from './watch_training';

interface Options {
  out: string;
  quick?: boolean;
  seeds: number;
  diversity?: boolean;
  backend: string;
  json?: boolean;
}

/** `ilrec demo`: `runDemo`, then the table, five users and report.html. */
export function demoCommand(): Command {
  const titles = COMPARED_BY_DEFAULT.map((name) => findMethod(name).title);
  return new Command('demo')
    .description(`Generate a small shop, train ${titles.join(', ')} on it, and compare them.`)
    .option('--out <dir>', 'where data, runs and report.html go', 'runs/demo')
    .option('--quick', 'a smaller, faster run to check that everything works')
    .option('--seeds <n>', 'training seeds per method', integerOption('--seeds', 1), 1)
    .option('--diversity', 'also print how widely the lists spread; files and report always say it')
    .addOption(backendOption('where to compute; README shows the numbers of wasm').default('wasm'))
    .option('--json', 'print one JSON object')
    .action(async ({ out, quick, seeds, diversity = false, backend, json }: Options) => {
      await startBackend(backend);
      const { comparison, examples } = await interruptible((signal) =>
        runDemo({ out, quick, seeds, signal, ...watchTraining, ...watchMethods() }),
      );
      const words = [...(quick === true ? ['--quick'] : []), ...(seeds === 1 ? [] : ['--seeds', String(seeds)])];
      const { report } = await writeComparison(out, comparison, {
        title: 'ILRec on a generated shop',
        command: ['npm run demo', ...(words.length === 0 ? [] : ['--', ...words])].join(' '),
        examples,
      });
      const text = [
        comparisonTable(comparison, { diversity, conclusions: quick !== true }),
        '',
        ...examples.map((one) => exampleText(one, titlesOf(comparison))),
        `${comparison.seconds.toFixed(0)} s. Report: ${report}`,
      ].join('\n');
      printResult(json, { ...withoutLogs(comparison), examples, report }, text);
    });
}

function exampleText({ user, history, target, lists }: DemoExample, titleOf: (name: string) => string): string {
  const lines = [`${user} bought, oldest first:`, ...history.map((title) => `    ${title}`), `  and then: ${target}`];
  for (const { method, titles } of lists) {
    lines.push(
      `  ${titleOf(method)} recommends:`,
      ...titles.map((title) => `    ${title === target ? '✓' : ' '} ${title}`),
    );
  }
  return lines.join('\n') + '\n';
}
