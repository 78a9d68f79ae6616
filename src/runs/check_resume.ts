import { isDeepStrictEqual } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS } from '../backends/backend_table_node';
import type { PreparedData } from '../data/types';
import { IlrecError } from '../errors';
import type { Method } from '../methods/method';
import { type TrainConfig, usedMethods } from '../methods/train_config';
import { readRunConfig } from './run_json';
import type { RunManifest } from './manifest';
import { withoutBudget } from '../recommender/training_budget';

/**
 * Refuses to resume on another backend: backends differ in the last digits, so the losses would be those of neither.
 */
export function checkSameBackend(out: string, { backend }: RunManifest): void {
  if (backend === tf.getBackend()) return;
  const names = Object.entries(BACKENDS).flatMap(([name, { tfjsName }]) => (tfjsName === backend ? name : []));
  throw new IlrecError(
    `trainRun: the run at ${out} must be resumed on the backend that it was begun on, ${backend}, got ` +
      `${tf.getBackend()}; use the backend ${names.join(' or ') || backend}, or choose another folder`,
  );
}

/**
 * Refuses to resume another run than the one that was begun.
 *
 * @param config what is asked for, without what the run chose.
 * @param methods the user's own.
 * @param isProlonged whether it shall be longer: epochs and patience may then be others.
 */
export async function checkSameRun(
  out: string,
  earlier: RunManifest,
  method: Method,
  config: TrainConfig,
  prepared: PreparedData,
  methods: readonly Method[],
  isProlonged = false,
): Promise<void> {
  const { name } = method;
  if (earlier.method !== name)
    throw new IlrecError(
      `trainRun: the run at ${out} must be resumed with its method, ${earlier.method}, got ${name}; choose another folder`,
    );
  if (earlier.data.checksum !== prepared.checksum)
    throw new IlrecError(
      `trainRun: the run at ${out} must be resumed with the dataset that it was begun with, got one with another ` +
        'checksum; choose another folder',
    );
  const begun = withoutBudget(await readRunConfig(out, methods), earlier.chosen);
  const used = usedMethods(method, config, methods);
  const differing = differences(plain(begun, used), plain(config, used)).filter(
    ({ key }) => !(isProlonged && FREE_WHERE_PROLONGED.includes(key)),
  );
  if (differing.length === 0) return;
  const told = differing.map(({ key, before, now }) => `${key} is ${textOf(before)} there and ${textOf(now)} here`);
  const hint = differing.some(({ key }) => key === 'training.epochs') ? 'to train it for longer, ask for epochs; ' : '';
  throw new IlrecError(
    `trainRun: the run at ${out} was begun with another config: ${told.join(', ')}; ${hint}give the same values, or ` +
      'choose another folder',
  );
}

/** What may change where a run is trained for longer. */
const FREE_WHERE_PROLONGED = ['training.epochs', 'training.patience'];

interface Difference {
  readonly key: string;
  readonly before: unknown;
  readonly now: unknown;
}

/** The config as a file would hold it, with the sections of the methods that the run reads. */
function plain(config: TrainConfig, used: readonly string[]): Record<string, unknown> {
  const { methods, description: _, ...shared } = JSON.parse(JSON.stringify(config)) as TrainConfig;
  return { ...shared, methods: Object.fromEntries(Object.entries(methods).filter(([name]) => used.includes(name))) };
}

/** The keys that differ, at every depth. */
function differences(before: unknown, now: unknown, path: readonly string[] = []): Difference[] {
  if (isObject(before) && isObject(now)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
    return keys.flatMap((key) => differences(before[key], now[key], [...path, key]));
  }
  return isDeepStrictEqual(before, now) ? [] : [{ key: path.join('.'), before, now }];
}

function textOf(value: unknown): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
