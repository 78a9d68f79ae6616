import * as tfl from '@tensorflow/tfjs-layers';
import { overrideOnce } from '../shadow';

/** What a compiled model keeps for `save`; tfjs-layers does not have it in its types. */
interface Compiled {
  readonly outputNames: readonly string[];
  loss: unknown;
  metrics: unknown;
}

/** Losses and metrics of methods. */
const unsaved = new WeakSet<object>();

/**
 * Leaves functions out of what `model.save(..., { includeOptimizer: true })` writes. tfjs writes the name of a metric
 * and then cannot load the model, because it knows only its own names; a loss in a list or by output it refuses to
 * write. The loaded model is compiled again with the method, as any model with a loss of its own.
 */
export function leaveUnsaved(functions: readonly object[]): void {
  for (const each of functions) unsaved.add(each);
  overrideOnce(tfl.LayersModel.prototype, 'getTrainingConfig', (model, getTrainingConfig) => {
    const compiled = model as unknown as Compiled;
    const { loss, metrics, outputNames } = compiled;
    try {
      compiled.loss = Array.isArray(loss) && loss.some(isUnsaved) ? saved(byOutput(loss, outputNames)) : saved(loss);
      compiled.metrics = saved(metrics);
      return getTrainingConfig();
    } finally {
      Object.assign(compiled, { loss, metrics });
    }
  });
}

/** Losses or metrics as `compile` took them, without those of methods. */
function saved(given: unknown): unknown {
  if (isUnsaved(given)) return {};
  if (Array.isArray(given)) return given.filter((each) => !isUnsaved(each));
  if (typeof given !== 'object' || given === null) return given;
  const kept = Object.entries(given).map(([output, each]) => [output, saved(each)] as const);
  return Object.fromEntries(kept.filter(([, each]) => typeof each !== 'object' || hasEntries(each)));
}

function byOutput(losses: readonly unknown[], outputNames: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(losses.map((loss, i) => [outputNames[i], loss]));
}

function isUnsaved(given: unknown): boolean {
  return typeof given === 'function' && unsaved.has(given);
}

function hasEntries(given: object | null): boolean {
  return given !== null && Object.keys(given).length > 0;
}
