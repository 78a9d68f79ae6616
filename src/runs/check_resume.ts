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
    `trainRun: --resume needs the backend that the run at ${out} was started on, ${backend}, got ` +
      `${tf.getBackend()}; use --backend ${names.join(' or ') || backend}, or choose another --out`,
  );
}

/**
 * Refuses to resume another run than the one that was begun.
 *
 * @param config what is asked for, without what the run chose.
 * @param methods the user's own.
 */
export async function checkSameRun(
  out: string,
  earlier: RunManifest,
  method: Method,
  config: TrainConfig,
  prepared: PreparedData,
  methods: readonly Method[],
): Promise<void> {
  const { name } = method;
  if (earlier.method !== name)
    throw new IlrecError(
      `trainRun: --resume needs the method of the run at ${out}, ${earlier.method}, got ${name}; choose another --out`,
    );
  if (earlier.data.checksum !== prepared.checksum)
    throw new IlrecError(
      `trainRun: --resume needs the dataset that the run at ${out} was started with, got one with another ` +
        'checksum; choose another --out',
    );
  const begun = bySection(withoutBudget(await readRunConfig(out, methods), earlier.chosen));
  const asked = bySection(config);
  const used = [...Object.keys(config), ...usedMethods(method, config, methods).map((name) => `methods.${name}`)];
  const differing = used.filter((section) => !isDeepStrictEqual(begun[section], asked[section]));
  if (differing.length > 0)
    throw new IlrecError(
      `trainRun: --resume needs the config that the run at ${out} was started with, got other values in ` +
        `${differing.join(', ')}; use its config.json, or choose another --out`,
    );
}

/** The sections by their paths, as a file would hold them: no undefined fields. */
function bySection(config: TrainConfig): Record<string, unknown> {
  const { methods, ...shared } = JSON.parse(JSON.stringify(config)) as TrainConfig;
  return { ...shared, ...Object.fromEntries(Object.entries(methods).map(([key, one]) => [`methods.${key}`, one])) };
}
