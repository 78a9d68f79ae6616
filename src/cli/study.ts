import { join } from 'node:path';
import { Command } from 'commander';
import { writeJsonAtomically } from '../files/atomic_file_node';
import { readJsonFile } from '../files/read_json_node';
import { studyTable } from '../report/study_table';
import { studyMethods, type StudyInput } from '../runs/study';
import { parseStudy } from '../runs/study_file';
import { backendOption, startBackend } from './backend';
import { watchMethods } from './compare';
import { interruptible } from './interruptible';
import { integerOption, oneOf, printResult } from './output';
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

/** `ilrec study`: `studyMethods`, then the table and study.json. */
export function studyCommand(): Command {
  return new Command('study')
    .description('Train and evaluate the arms of a study file: ablations, grids of settings, other starts.')
    .requiredOption('--data <dir>', 'a prepared folder')
    .requiredOption('--study <file>', 'the arms as JSON, such as those in configs/studies')
    .requiredOption('--out <dir>', 'where runs and study.json go')
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
          ...watchTraining,
          ...watchMethods(),
        }),
      );
      const path = join(options.out, 'study.json');
      await writeJsonAtomically(path, found);
      printResult(json, { ...found, path }, `${studyTable(found)}\n\nNumbers: ${path}`);
    });
}
