import { resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { PreparedData } from '../data/types';
import type { BuildContext, Method, RunItem } from '../methods/method';
import type { TrainConfig } from '../methods/train_config';
import { VERSION } from '../version';
import { type RunManifest, writeManifest } from './manifest';
import { writeConfig, writeItems } from './run_json';

/** Writes everything that is known before training. The manifest comes last, since it says that there is a run. */
export async function beginRun(
  manifest: RunManifest,
  method: Method,
  config: TrainConfig,
  context: BuildContext,
): Promise<void> {
  const { folder } = context.files;
  await writeConfig(folder, config);
  if (method.begin !== undefined) await method.begin(context);
  // the item index of older releases
  else await context.files.writeJson('tokenizer.json', context.data.tokenizer.toJSON());
  await writeItems(folder, runItems(context));
  await writeManifest(folder, manifest);
}

/** The catalogue as a run keeps it. */
export function runItems({ prepared, data }: Pick<BuildContext, 'prepared' | 'data'>): RunItem[] {
  return prepared.itemIds.map((id, item) => ({
    id,
    title: prepared.titles?.[item] ?? null,
    count: data.itemCounts[item],
    semanticId: prepared.semanticIds[item],
  }));
}

/** @param data the prepared folder. */
export function newManifest(
  data: string,
  { name }: Method,
  { seed }: TrainConfig,
  { report, checksum = '', name: dataName }: PreparedData,
): RunManifest {
  const { users, items, interactions } = report;
  return {
    kind: 'tfjs-ilrec run',
    version: 1,
    method: name,
    status: 'running',
    seed,
    backend: tf.getBackend(),
    versions: {
      'tfjs-ilrec': VERSION,
      'tfjs-core': tf.version_core,
      'tfjs-layers': tfl.version_layers,
      node: process.versions.node,
    },
    data: { folder: resolve(data), name: dataName, checksum, users, items, interactions },
    parameters: 0,
    steps: 0,
    stepsPerEpoch: 0,
    seconds: 0,
    startedAt: new Date().toISOString(),
    validation: null,
  };
}
