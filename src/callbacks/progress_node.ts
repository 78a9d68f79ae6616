import cliProgress from 'cli-progress';
import type { StepRecord, TrainingCallback, TrainingState } from '../training/training_callback';

export interface ProgressOptions {
  /** Shown first, for example the method's name. Default 'train'. */
  label?: string;
  /** Where it is written. Default process.stderr. */
  stream?: NodeJS.WriteStream;
  /** Seconds between lines when the stream is not a terminal. Default 10. */
  lineEverySeconds?: number;
}

/** Weight of the newest step in the smoothed speed. */
const SMOOTHING = 0.05;

/**
 * Makes a callback for `trainModel` that shows step, loss, tokens/s and the time left: a bar on a terminal, a line
 * every few seconds elsewhere.
 *
 * @param options see `ProgressOptions`.
 * @returns a callback for `trainModel`.
 *
 * @example
 * ```ts
 * import { AdamW, causalLM, createBatches, sft, trainModel } from 'tfjs-ilrec';
 * import { progress } from 'tfjs-ilrec/node';
 *
 * const { step } = await trainModel({
 *   model: causalLM({ vocabSize: 6, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 }),
 *   method: sft(),
 *   optimizer: new AdamW({ learningRate: 0.01 }),
 *   batches: createBatches({ sequences: [[0, 1, 2]], itemTokens: [[3], [4], [5]] }),
 *   epochs: 3,
 *   callbacks: [progress({ label: 'sft' })], // on stderr
 * });
 * console.log(step); // 3
 * ```
 */
export function progress({
  label = 'train',
  stream = process.stderr,
  lineEverySeconds = 10,
}: ProgressOptions = {}): TrainingCallback {
  const terminal = stream.isTTY === true;
  const bar = new cliProgress.SingleBar(
    {
      stream,
      format: '{label} |{bar}| {value}/{total} epoch {epoch}/{epochs} loss {loss} {speed} tokens/s {left} left',
      barsize: 20,
      hideCursor: false,
      clearOnComplete: false,
    },
    cliProgress.Presets.shades_classic,
  );
  const meter = new Meter();
  let lineAt = performance.now();

  function payload(record: StepRecord, state: TrainingState): Record<string, string | number> {
    return {
      label,
      epoch: state.epoch + 1,
      epochs: state.epochs,
      loss: record.loss.toFixed(4),
      speed: meter.speed(),
      left: formatSeconds(meter.secondsLeft(state)),
    };
  }

  return {
    onTrainBegin(state) {
      meter.begin(state.step);
      if (terminal)
        bar.start(state.totalSteps, state.step, {
          label,
          epoch: state.epoch + 1,
          epochs: state.epochs,
          loss: '-',
          speed: '-',
          left: '-',
        });
    },
    onStep(record, state) {
      meter.update(record);
      if (terminal) bar.update(record.step, payload(record, state));
      else if (performance.now() - lineAt >= 1000 * lineEverySeconds) {
        lineAt = performance.now();
        const { epoch, epochs, loss, speed, left } = payload(record, state);
        stream.write(
          `${label}: step ${record.step}/${state.totalSteps}, epoch ${epoch}/${epochs}, loss ${loss}, ${speed} ` +
            `tokens/s, ${left} left\n`,
        );
      }
    },
    onTrainEnd() {
      if (terminal) bar.stop();
    },
  };
}

/** Speed and time left. The time includes evaluations and checkpoints. */
class Meter {
  private tokensPerSecond = NaN;
  private startedAt = 0;
  private startStep = 0;

  begin(step: number): void {
    this.startedAt = performance.now();
    this.startStep = step;
  }

  update({ tokensPerSecond }: StepRecord): void {
    this.tokensPerSecond = Number.isNaN(this.tokensPerSecond)
      ? tokensPerSecond
      : (1 - SMOOTHING) * this.tokensPerSecond + SMOOTHING * tokensPerSecond;
  }

  speed(): number {
    return Math.round(this.tokensPerSecond);
  }

  secondsLeft({ step, totalSteps }: TrainingState): number {
    return ((totalSteps - step) * (performance.now() - this.startedAt)) / 1000 / (step - this.startStep);
  }
}

/** 75 -> '1m15s'. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours}h${String(minutes).padStart(2, '0')}m`;
  return minutes > 0 ? `${minutes}m${String(whole % 60).padStart(2, '0')}s` : `${whole}s`;
}
