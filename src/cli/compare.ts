import { join } from 'node:path';
import { Command } from 'commander';
import type { AskedSeenRule } from '../config/seen_rule';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';
import { COMPARED_BY_DEFAULT, METHODS } from '../methods/registry';
import { comparisonCsv, comparisonLatex } from '../report/comparison_files';
import { comparisonReport } from '../report/comparison_report';
import { comparisonTable } from '../report/comparison_table';
import { curveSvg } from '../report/curve_svg';
import { compareMethods } from '../runs/compare';
import type { Comparison } from '../runs/comparison';
import { backendOption, startBackend } from './backend';
import { interruptible } from './interruptible';
import { integerOption, listOption, oneOf, printResult, remark, seenOption } from './output';
import { readConfig } from './read_config';
import { watchEvaluation, watchTraining } from './watch_training';

interface Options {
  data: string;
  methods: string[];
  seeds: number;
  out: string;
  config?: string;
  epochs?: number;
  split: string;
  users?: number;
  seen?: AskedSeenRule;
  diversity?: boolean;
  backend: string;
  json?: boolean;
}

/** `ilrec compare`: `compareMethods`, then the table, the files of the comparison and report.html. */
export function compareCommand(): Command {
  return new Command('compare')
    .description('Train and evaluate several methods with one config, and compare them over the same users.')
    .requiredOption('--data <dir>', 'a prepared folder')
    .requiredOption('--out <dir>', 'where runs, comparison.json, .csv and .tex, and report.html go')
    .option('--methods <methods>', METHODS.join(','), listOption, [...COMPARED_BY_DEFAULT])
    .option('--seeds <n>', 'training seeds per method', integerOption('--seeds', 1), 1)
    .option('--config <file>', 'settings as JSON; without it, the defaults')
    .option('--epochs <n>', "replaces the config's epochs", integerOption('--epochs', 1))
    .option('--split <split>', 'test or valid', 'test')
    .option('--users <n>', 'how many users are evaluated (default: all)', integerOption('--users', 1))
    .option('--seen <rule>', "items seen, in place of the config's rule: allow, exclude or auto", seenOption)
    .option('--diversity', 'also print how widely the lists spread; files and report always say it')
    .addOption(backendOption())
    .option('--json', 'print one JSON object')
    .action(async ({ methods, split, config, backend, diversity = false, json, ...options }: Options) => {
      const chosen = methods.map((method) => oneOf('--methods', METHODS, method));
      const chosenSplit = oneOf('--split', ['test', 'valid'] as const, split);
      const settings = await readConfig(config);
      await startBackend(backend);
      const comparison = await interruptible((signal) =>
        compareMethods({
          ...options,
          methods: chosen,
          split: chosenSplit,
          config: settings,
          signal,
          ...watchTraining,
          ...watchMethods(),
        }),
      );
      const { report } = await writeComparison(options.out, comparison, {
        title: `ILRec compared on ${comparison.data.name}`,
        command: `ilrec ${process.argv.slice(2).join(' ')}`,
      });
      printResult(
        json,
        { ...withoutLogs(comparison), report },
        `${comparisonTable(comparison, { diversity })}\n\nReport: ${report}`,
      );
    });
}

/** Says on stderr what is being trained and evaluated. */
export function watchMethods(): {
  onStart: (label: string) => void;
  onProgress: (label: string, done: number, total: number) => void;
} {
  let watch: (done: number, total: number) => void = () => undefined;
  return {
    onStart(label) {
      remark(`${label} ...`);
      watch = watchEvaluation(label);
    },
    onProgress: (_, done, total) => watch(done, total),
  };
}

/** Writes comparison.json, .csv and .tex, report.html and curve.svg. */
export async function writeComparison(
  out: string,
  comparison: Comparison,
  options: Parameters<typeof comparisonReport>[1],
): Promise<{ report: string }> {
  const report = join(out, 'report.html');
  await writeJsonAtomically(join(out, 'comparison.json'), withoutLogs(comparison));
  await writeFileAtomically(join(out, 'comparison.csv'), comparisonCsv(comparison));
  await writeFileAtomically(join(out, 'comparison.tex'), comparisonLatex(comparison));
  await writeFileAtomically(report, comparisonReport(comparison, options));
  await writeFileAtomically(join(out, 'curve.svg'), curveSvg(comparison));
  return { report };
}

/** The comparison without each step's numbers, which lie in the runs' logs. */
export function withoutLogs(comparison: Comparison): object {
  return {
    ...comparison,
    methods: comparison.methods.map(({ runs, diagnostics: __, ...method }) => ({
      ...method,
      runs: runs.map(({ log: _, ...run }) => run),
    })),
  };
}
