import { Command } from 'commander';
import type { AskedSeenRule } from '../config/seen_rule';
import { DEFAULT_METHOD, METHODS, REGISTRY } from '../methods/registry';
import { readManifest, type RunManifest } from '../runs/manifest';
import { isRun } from '../runs/run_paths';
import { trainRun } from '../runs/train_run';
import { backendOption, startBackend } from './backend';
import { INTERRUPTED, interruptible } from './interruptible';
import { integerOption, oneOf, printResult, remark, seenOption } from './output';
import { readConfig } from './read_config';
import { nextCommands, trainingEnd } from './training_end';
import { trainingWarning } from './training_warning';
import { watchTraining } from './watch_training';

interface Options {
  data?: string;
  out: string;
  config?: string;
  method?: string;
  backend: string;
  epochs?: number;
  steps?: number;
  seed?: number;
  seen?: AskedSeenRule;
  resume?: boolean;
  json?: boolean;
}

/** `ilrec train`: `trainRun`. */
export function trainCommand(): Command {
  return new Command('train')
    .description('Train one method on a prepared folder into a run folder.')
    .option('--data <dir>', 'a prepared folder; with --resume, the one of the run')
    .requiredOption('--out <run>', 'the run folder to write')
    .option('--config <file>', 'settings as JSON; without it, the defaults; with --resume, those of the run')
    .option('--method <method>', `${METHODS.join(', ')} (default: ${DEFAULT_METHOD})`)
    .addOption(backendOption())
    .option(
      '--epochs <n>',
      "replaces the config's epochs; with --resume, makes the run longer",
      integerOption('--epochs', 1),
    )
    .option('--steps <n>', 'as --epochs, in steps; the last epoch is trained whole', integerOption('--steps', 1))
    .option('--seed <n>', "replaces the config's seed", integerOption('--seed', 0))
    .option('--seen <rule>', "items seen, in place of the config's rule: allow, exclude or auto", seenOption)
    .option('--resume', 'continue the run at --out, or make it longer')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nMethods:\n${REGISTRY.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n')}`,
    )
    .action(async ({ method, backend, config, json, data, ...options }: Options, command: Command) => {
      const { out, resume = false } = options;
      const earlier = resume && isRun(out) ? await readManifest(out) : null; // what is not given is as it was
      const folder = data ?? earlier?.data.folder;
      if (folder === undefined)
        command.error(
          resume
            ? `error: there is no run at ${out} to resume; check --out, or begin one with --data`
            : "error: required option '--data <dir>' not specified",
        );
      const chosen = oneOf('--method', METHODS, method ?? earlier?.method ?? DEFAULT_METHOD);
      const settings = earlier !== null && config === undefined ? undefined : await readConfig(config);
      if (resume && earlier === null) remark(`There is no run at ${out} to resume: a new one begins.`);
      await startBackend(backend);
      const { run, manifest } = await interruptible((signal) =>
        trainRun({ ...options, data: folder, method: chosen, config: settings, signal, ...watchTraining }),
      );
      const warning = trainingWarning(manifest);
      const next = nextCommands(run, manifest);
      printResult(json, { ...summaryOf(run, manifest), warning, next }, trainingEnd(run, manifest, warning));
      if (json === true && warning !== null) remark(warning);
      if (manifest.status === 'interrupted') {
        remark(`Interrupted at step ${manifest.steps}. Run the same command with --resume to continue.`);
        process.exitCode = INTERRUPTED;
      }
    });
}

function summaryOf(
  run: string,
  { method, status, seed, backend, steps, seconds, parameters, validation }: RunManifest,
): object {
  return {
    run,
    method,
    status,
    seed,
    backend,
    steps,
    seconds,
    parameters,
    bestStep: validation?.bestStep ?? null,
    validation: validation?.best?.metrics ?? null,
    baselines: validation?.baselines ?? null,
  };
}
