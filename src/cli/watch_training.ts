import { progress } from '../callbacks/progress_node';
import { findMethod } from '../methods/registry';
import type { Baselines } from '../recommender/baselines';
import type { TrainRunOptions } from '../runs/train_run';
import { remark } from './output';

/** Progress of training on stderr. */
export const watchTraining: Required<Pick<TrainRunOptions, 'callbacks' | 'onEvaluation' | 'onSeenRule'>> = {
  callbacks: (label) => [progress({ label })],
  onEvaluation(label, { step, epochs, metrics }, isBest, baselines) {
    remark(
      `${process.stderr.isTTY ? '\n' : ''}${label}: validation after epoch ${epochs} (step ${step}): NDCG@10 ` +
        `${metrics['ndcg@10'].toFixed(4)}${besideText(baselines)}, HR@10 ${metrics['hr@10'].toFixed(4)}` +
        (isBest ? ', the best so far' : ''),
    );
  },
  onSeenRule({ seen, repeatShare }) {
    remark(
      `seen items: ${seen === 'exclude' ? 'left out of lists' : 'may be recommended again'} ` +
        `(${(repeatShare * 100).toFixed(2)} % of training interactions repeat)`,
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
