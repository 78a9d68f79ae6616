import { findMethod } from '../methods/registry';
import type { RunManifest } from '../runs/manifest';

/**
 * What to change where a finished run is below the best of the simple methods on the validation users; null where it is
 * not. A run whose last evaluation was its best was still learning.
 */
export function trainingWarning({ method, status, steps, validation }: RunManifest): string | null {
  if (status !== 'done' || validation?.best == null) return null;
  const { bestStep, best, baselines = {} } = validation;
  const ndcg = best.metrics['ndcg@10'];
  const [name, value] = Object.entries(baselines)
    .map(([baseline, metrics]) => [baseline, metrics['ndcg@10']] as const)
    .reduce((highest, one) => (one[1] > highest[1] ? one : highest), ['', -Infinity] as const);
  if (ndcg >= value) return null;
  const below =
    `${findMethod(method).title} is below ${findMethod(name).title} on the validation users (NDCG@10 ` +
    `${ndcg.toFixed(4)} against ${value.toFixed(4)})`;
  return bestStep === steps
    ? `${below} and was still improving at its last evaluation: train a new run for more epochs, for example ` +
        `--epochs ${2 * best.epochs}.`
    : `${below}, and more epochs will not help, since its best evaluation was not the last: use more data, a smaller ` +
        `model, or another method, for example --method ${name}.`;
}
