import { Command } from 'commander';
import type { AskedSeenRule } from '../config/seen_rule';
import { DEFAULT_METHOD, METHODS, REGISTRY } from '../methods/registry';
import type { RunManifest } from '../runs/manifest';
import { trainRun } from '../runs/train_run';
import { backendOption, startBackend } from './backend';
import { INTERRUPTED, interruptible } from './interruptible';
import { integerOption, oneOf, printResult, remark, seenOption } from './output';
import { readConfig } from './read_config';
import { trainingWarning } from './training_warning';
import { besideText, watchTraining } from './watch_training';

interface Options {
  data: string;
  out: string;
  config?: string;
  method: string;
  backend: string;
  epochs?: number;
  seed?: number;
  seen?: AskedSeenRule;
  resume?: boolean;
  json?: boolean;
}

/** `ilrec train`: `trainRun`. */
export function trainCommand(): Command {
  return new Command('train')
    .description('Train one method on a prepared folder into a run folder.')
    .requiredOption('--data <dir>', 'a prepared folder')
    .requiredOption('--out <run>', 'the run folder to write')
    .option('--config <file>', 'settings as JSON; without it, the defaults')
    .option('--method <method>', METHODS.join(', '), DEFAULT_METHOD)
    .addOption(backendOption())
    .option('--epochs <n>', "replaces the config's epochs", integerOption('--epochs', 1))
    .option('--seed <n>', "replaces the config's seed", integerOption('--seed', 0))
    .option('--seen <rule>', "items seen, in place of the config's rule: allow, exclude or auto", seenOption)
    .option('--resume', 'continue the run at --out')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nMethods:\n${REGISTRY.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n')}`,
    )
    .action(async ({ method, backend, config, json, ...options }: Options) => {
      const chosen = oneOf('--method', METHODS, method);
      const settings = await readConfig(config);
      await startBackend(backend);
      const { run, manifest } = await interruptible((signal) =>
        trainRun({ ...options, method: chosen, config: settings, signal, ...watchTraining }),
      );
      const warning = trainingWarning(manifest);
      printResult(json, { ...summaryOf(run, manifest), warning }, textOf(run, manifest));
      if (warning !== null) remark(warning);
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

function textOf(run: string, { method, status, backend, steps, seconds, validation }: RunManifest): string {
  const best =
    validation?.best == null
      ? ''
      : `; best validation NDCG@10 ${validation.best.metrics['ndcg@10'].toFixed(4)} at step ${validation.bestStep}` +
        besideText(validation.baselines);
  return `${method} ${status}: ${steps} steps in ${seconds.toFixed(1)} s on ${backend}${best}\n${run}`;
}
