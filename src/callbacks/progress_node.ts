import cliProgress from 'cli-progress';
import type { StepRecord, TrainingCallback, TrainingState } from '../training/train_model';

export interface ProgressOptions {
  /** Shown in front, e.g. the method's name. */
  label?: string;
  /** Where it goes. Default process.stderr. */
  stream?: NodeJS.WriteStream;
  /** Seconds between lines where the stream is no terminal. Default 10. */
  lineEverySeconds?: number;
}

/** Share of the newest step in the smoothed speed. */
const SMOOTHING = 0.05;

/** Shows step, loss, tokens/s and the time left: a bar on a terminal, now and then a line elsewhere. */
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
          `${label}: step ${record.step}/${state.totalSteps}, epoch ${epoch}/${epochs}, loss ${loss}, ${speed} tokens/s, ${left} left\n`,
        );
      }
    },
    onTrainEnd() {
      if (terminal) bar.stop();
    },
  };
}

/** Speed and time left; evaluations and checkpoints count into the time, as they do for who waits. */
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
