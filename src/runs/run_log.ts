import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { IlrecError } from '../errors';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import { writeFileAtomically } from '../files/atomic_file_node';
import type { TrainingCallback } from '../training/train_model';

/** One line of a run's log. */
export type LogLine =
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly epoch: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly tokensPerSecond: number;
      /** Input tokens of the step without padding, and those whose next token is a label. Not in older logs. */
      readonly numTokens?: number;
      readonly numResponseTokens?: number;
      /** Seconds of all steps so far, lost ones of killed calls too, without evaluations. Not in older logs. */
      readonly seconds?: number;
      readonly klPerLayer?: readonly number[];
      /** What a look at ILRec's negatives found. */
      readonly negatives?: object;
      readonly [metric: string]: unknown;
    }
  | {
      readonly kind: 'evaluation';
      readonly step: number;
      readonly epoch: number;
      readonly seconds?: number;
      readonly [metric: string]: unknown;
    };

/** A log of one JSON object per line. Each line is written at once, so a killed process loses none. */
export class RunLog {
  private readonly file: number;

  /** @param seconds of all steps so far. */
  private constructor(
    path: string,
    public seconds: number,
  ) {
    this.file = openSync(path, 'a');
  }

  /**
   * Opens the log. Lines after `step` are dropped, since a resumed run repeats those steps; the seconds that they took
   * still count.
   */
  static async open(path: string, step: number): Promise<RunLog> {
    const lines = existsSync(path) ? await readLog(path) : [];
    const kept = lines.filter((line) => step > 0 && line.step <= step);
    await writeFileAtomically(path, kept.map((line) => JSON.stringify(line) + '\n').join(''));
    return new RunLog(path, lines.at(-1)?.seconds ?? 0);
  }

  write(line: LogLine): void {
    writeSync(this.file, JSON.stringify(line) + '\n');
  }

  close(): void {
    closeSync(this.file);
  }
}

/**
 * Reads the log of a run. A last line that a killed process left unfinished is skipped.
 *
 * @param path `log.jsonl` of a run.
 * @returns a line per step and evaluation, in order.
 * @throws IlrecError when a line before the last is damaged; an Error of Node when the file cannot be read.
 * @example
 * ```ts
 * import { readLog } from 'tfjs-ilrec/node';
 *
 * const log = await readLog('runs/sft/log.jsonl');
 * console.log(log[0].kind, log[0].step); // step 1
 * ```
 */
export async function readLog(path: string): Promise<LogLine[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  return lines.flatMap((line, i) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as LogLine];
    } catch (error) {
      if (i === lines.length - 1) return [];
      throw new IlrecError(`readLog: line ${i + 1} of ${path} must be JSON, got a damaged line; remove it`, {
        cause: error,
      });
    }
  });
}

/** Writes each step to a run's log. */
export function stepLog(log: RunLog): TrainingCallback {
  return {
    onStep({ step, epoch, loss, learningRate, tokensPerSecond, metrics, klPerLayer, ...record }) {
      const { numTokens, numResponseTokens, negatives = null } = record;
      log.seconds += record.seconds;
      log.write({
        kind: 'step',
        step,
        epoch,
        loss,
        ...metrics,
        ...(klPerLayer === null ? {} : { klPerLayer }),
        ...(negatives === null ? {} : { negatives }),
        learningRate,
        tokensPerSecond: Math.round(tokensPerSecond),
        numTokens,
        numResponseTokens,
        seconds: roundedSeconds(log.seconds),
      });
    },
  };
}

/** Writes an evaluation to a run's log. */
export function logEvaluation(log: RunLog, { step, epochs, metrics }: EvaluationRecord): void {
  log.write({ kind: 'evaluation', step, epoch: epochs - 1, ...metrics, seconds: roundedSeconds(log.seconds) });
}

/** To the millisecond. */
function roundedSeconds(seconds: number): number {
  return Math.round(1000 * seconds) / 1000;
}
