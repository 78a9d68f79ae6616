import type { JsonlLog } from './jsonl_log';
import type { TrainingCallback } from '../training/train_model';
import type { EvaluationRecord } from '../callbacks/early_stopping';

/** Writes each step to a run's log. */
export function stepLog(log: JsonlLog): TrainingCallback {
  return {
    onStep({ step, epoch, loss, learningRate, tokensPerSecond, metrics, klPerLayer }) {
      log.write({
        kind: 'step',
        step,
        epoch,
        loss,
        ...metrics,
        ...(klPerLayer === null ? {} : { klPerLayer }),
        learningRate,
        tokensPerSecond: Math.round(tokensPerSecond),
      });
    },
  };
}

/** Writes an evaluation to a run's log. */
export function logEvaluation(log: JsonlLog, { step, epochs, metrics }: EvaluationRecord): void {
  log.write({ kind: 'evaluation', step, epoch: epochs - 1, ...metrics });
}
