import { join } from 'node:path';
import { Command } from 'commander';
import { writeFileAtomically, writeJsonAtomically } from '../files/atomic_file_node';
import { readJsonFile } from '../files/read_json_node';
import { studyCsv, studyLatex } from '../report/study_files';
import { studyReport } from '../report/study_report';
import { studyTable } from '../report/study_table';
import { type Study, studyMethods, type StudyInput } from '../runs/study';
import { parseStudy } from '../runs/study_file';
import { backendOption, startBackend } from './backend';
import { watchMethods } from './compare';
import { interruptible } from './interruptible';
import { integerOption, oneOf, printResult, remark } from './output';
import { watchTraining } from './watch_training';

interface Options {
  data: string;
  study: string;
  out: string;
  seeds: number;
  epochs?: number;
  split: string;
  backend: string;
  json?: boolean;
}

/** `ilrec study`: `studyMethods`, then the table, the files of the study and report.html. */
export function studyCommand(): Command {
  return new Command('study')
    .description('Train and evaluate the arms of a study file: ablations, grids of settings, other starts.')
    .requiredOption('--data <dir>', 'a prepared folder')
    .requiredOption('--study <file>', 'the arms as JSON, such as those in configs/studies')
    .requiredOption('--out <dir>', 'where runs, study.json, .csv and .tex, and report.html go')
    .option('--seeds <n>', 'training seeds per arm', integerOption('--seeds', 1), 1)
    .option('--epochs <n>', 'replaces the epochs of every arm', integerOption('--epochs', 1))
    .option('--split <split>', 'valid or test; choose on valid', 'valid')
    .addOption(backendOption())
    .option('--json', 'print one JSON object')
    .action(async ({ study: file, split, backend, json, ...options }: Options) => {
      const chosenSplit = oneOf('--split', ['test', 'valid'] as const, split);
      const study = (await readJsonFile(file, '--study')) as StudyInput;
      parseStudy(study, file); // before a backend is started
      await startBackend(backend);
      const found = await interruptible((signal) =>
        studyMethods({
          ...options,
          study,
          source: file,
          split: chosenSplit,
          signal,
          onSkip: (skipped) => skipped.forEach(({ name, reason }) => remark(`${name} is left out: ${reason}.`)),
          ...watchTraining,
          ...watchMethods(),
        }),
      );
      const report = await writeStudy(options.out, found, `ilrec ${process.argv.slice(2).join(' ')}`);
      const path = join(options.out, 'study.json');
      const text = `${studyTable(found)}\n\nNumbers: ${path}\nReport: ${report}`;
      printResult(json, { ...withoutLogs(found), path, report }, text);
    });
}

/** Writes study.json, .csv and .tex, and report.html. @returns where the report is. */
async function writeStudy(out: string, study: Study, command: string): Promise<string> {
  const report = join(out, 'report.html');
  await writeJsonAtomically(join(out, 'study.json'), withoutLogs(study));
  await writeFileAtomically(join(out, 'study.csv'), studyCsv(study));
  await writeFileAtomically(join(out, 'study.tex'), studyLatex(study));
  await writeFileAtomically(report, studyReport(study, { command }));
  return report;
}

/** The study without each step's numbers, which lie in the runs' logs. */
function withoutLogs(study: Study): object {
  const arms = study.arms.map(({ runs, ...arm }) => ({ ...arm, runs: runs.map(({ log: _, ...run }) => run) }));
  return { ...study, arms };
}
