import type { EvaluationRecord } from '../callbacks/early_stopping';
import { progress } from '../callbacks/progress_node';
import { findMethod } from '../methods/registry';
import type { Baselines } from '../runs/baselines';
import type { TrainingCallback } from '../training/train_model';
import { remark } from './output';

/** Progress of training on stderr. */
export const watchTraining = {
  callbacks: (label: string): readonly TrainingCallback[] => [progress({ label })],
  onEvaluation(
    label: string,
    { step, epochs, metrics }: EvaluationRecord,
    isBest: boolean,
    baselines: Baselines,
  ): void {
    remark(
      `${process.stderr.isTTY ? '\n' : ''}${label}: validation after epoch ${epochs} (step ${step}): NDCG@10 ` +
        `${metrics['ndcg@10'].toFixed(4)}${besideText(baselines)}, HR@10 ${metrics['hr@10'].toFixed(4)}` +
        (isBest ? ', the best so far' : ''),
    );
  },
};

/** What simple methods reach, in brackets: ` (Popularity 0.0223, Markov 0.0562)`. */
export function besideText(baselines: Baselines = {}): string {
  const parts = Object.entries(baselines).map(
    ([name, metrics]) => `${findMethod(name).title} ${metrics['ndcg@10'].toFixed(4)}`,
  );
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** Now and then a line about an evaluation in progress. */
export function watchEvaluation(label: string): (done: number, total: number) => void {
  let shownAt = performance.now();
  return (done, total) => {
    if (performance.now() - shownAt < 5000) return;
    shownAt = performance.now();
    remark(`${label}: ${done} of ${total} users evaluated`);
  };
}
