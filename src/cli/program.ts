import { Command, CommanderError } from 'commander';
import '../register';
import { IlrecError } from '../errors';
import { VERSION } from '../version';
import { compareCommand } from './compare';
import { demoCommand } from './demo';
import { doctorCommand } from './doctor';
import { evaluateCommand } from './evaluate';
import { prepareCommand } from './prepare';
import { recommendCommand } from './recommend';
import { similarCommand } from './similar';
import { studyCommand } from './study';
import { trainCommand } from './train';

/** Runs the command line. @returns the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('ilrec')
    .description('Fine-tune causal language models into recommenders with ILRec, on TensorFlow.js.')
    .version(VERSION)
    .showHelpAfterError('(--help shows the options)');
  for (const command of [
    prepareCommand(),
    trainCommand(),
    evaluateCommand(),
    recommendCommand(),
    similarCommand(),
    compareCommand(),
    studyCommand(),
    doctorCommand(),
    demoCommand(),
  ]) {
    program.addCommand(command);
  }
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync([...argv]);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // commander has said what is wrong
    if (error instanceof WebAssembly.RuntimeError) {
      // all that tfjs's wasm backend says when an allocation fails: it aborts, and what is disposed then is out of
      // bounds
      process.stderr.write(
        'ilrec: the wasm backend must have memory for the model and a batch, got none left; lower ' +
          'training.batchSize, evaluation.batchSize or the sizes of the model, or use another --backend\n',
      );
      return 1;
    }
    const isMistake = error instanceof IlrecError;
    process.stderr.write(
      isMistake
        ? `${error.message}\n`
        : `Internal error, please report it:\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return isMistake ? 1 : 70;
  }
}
