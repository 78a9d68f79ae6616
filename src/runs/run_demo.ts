import { readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { IlrecError } from '../errors';
import { COMPARED_BY_DEFAULT } from '../methods/registry';
import { parseTrainConfig, type TrainConfig } from '../methods/train_config';
import { demoCatalogue } from '../data/demo_catalogue';
import { loadPrepared, writePrepared } from '../preparation/prepared_folder_node';
import { splitData } from '../data/split_data';
import { prepareInteractions } from '../preparation/prepare';
import type { PreparedData } from '../data/types';
import { createRandom } from '../random';
import { refuseNoPath } from './call_checks';
import { compareMethods, type CompareOptions } from './compare';
import type { Comparison } from './comparison';
import { loadRun } from './load_run';
import { readManifest } from './manifest';
import { recommendFromRun } from './recommend_run';
import { isRun } from './run_paths';

/** A user's history, the item chosen next, and what each method recommends, all as titles. */
export interface DemoExample {
  readonly user: string;
  readonly history: readonly string[];
  readonly target: string;
  readonly lists: readonly { readonly method: string; readonly titles: readonly string[] }[];
}

export interface RunDemoOptions extends Pick<
  CompareOptions,
  'signal' | 'callbacks' | 'onEvaluation' | 'onSeenRule' | 'onStart' | 'onProgress'
> {
  /** The folder for data and runs. Runs of an earlier demo there are removed. */
  out: string;
  /** Training seeds per method, 1 or more. Default 1. */
  seeds?: number;
  /** A smaller shop and fewer epochs, to see that everything works. Default false. */
  quick?: boolean;
}

/** What the demo found. */
export interface DemoResult {
  readonly comparison: Comparison;
  readonly examples: readonly DemoExample[];
}

const EXAMPLE_USERS = 5;
const EXAMPLE_LENGTH = 5;

/**
 * Generates a small shop, and trains and evaluates the default methods on it with the same epochs and evaluation.
 *
 * @param options the folder, and callbacks.
 * @returns the comparison, and the lists of five users drawn by a seed.
 * @throws IlrecError when training is interrupted, or `out` holds anything that no demo wrote.
 * @example
 * ```ts no-run
 * import { comparisonTable, runDemo } from 'tfjs-ilrec/node';
 *
 * const { comparison } = await runDemo({ out: 'runs/demo', quick: true });
 * console.log(comparisonTable(comparison));
 * ```
 */
export async function runDemo({ out, quick = false, seeds = 1, ...watchers }: RunDemoOptions): Promise<DemoResult> {
  refuseNoPath('runDemo', out);
  const data = join(out, 'data');
  const runs = join(out, 'runs');
  const shop = demoCatalogue(quick ? { numItems: 120, numUsers: 400 } : { numItems: 400, numUsers: 2400 });
  const prepared = prepareInteractions(shop, { levels: 2, codebookSize: quick ? 16 : 32 }, 'generated');
  await claimDemoFolder(out, data, runs, prepared.name);
  await writePrepared(prepared, data);
  for (const run of await runsIn(runs)) await rm(run, { recursive: true });
  const comparison = await compareMethods({
    ...watchers,
    data,
    out: runs,
    methods: COMPARED_BY_DEFAULT,
    seeds,
    config: demoConfig(quick),
  });
  return { comparison, examples: await makeExamples(prepared, comparison) };
}

async function runsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.map((name) => join(folder, name)).filter(isRun);
}

/** What the demo writes beside data and runs. */
const WRITTEN = /^(data|runs|comparison\.(json|csv|tex)|report\.html|curve\.svg)(\.(partial|replaced)-\d+)?$/;

/** Data and runs of an earlier demo are replaced; what somebody else made is not. */
async function claimDemoFolder(out: string, data: string, runs: string, dataset: string): Promise<void> {
  const refuse = (what: string): never => {
    throw new IlrecError(
      `runDemo: out must be a new or empty folder, or that of an earlier demo, got ${out}, which holds ${what}; choose ` +
        'another folder',
    );
  };
  const found = await stat(out).catch(() => null);
  if (found !== null && !found.isDirectory())
    throw new IlrecError(`runDemo: out must be a folder, got the file ${out}; choose another name`);
  const names = found === null ? [] : await readdir(out);
  const strange = names.find((name) => !WRITTEN.test(name)) ?? (isRun(out) ? 'a run' : undefined);
  if (strange !== undefined) refuse(strange);
  const earlier = names.includes('data') && (await readdir(data)).length > 0 ? await loadPrepared(data) : null;
  if (earlier !== null && earlier.name !== dataset) refuse(`the dataset ${earlier.name} in data`);
  for (const run of await runsIn(runs)) {
    const { name, folder } = (await readManifest(run)).data;
    if (name !== dataset || folder !== resolve(data)) refuse(`a run of other data, ${run}`);
  }
}

/**
 * The demo's settings; the quick form trains less. Chosen on the validation users of the shop: less dropout and smaller
 * batches than the defaults, and no further items as targets, since an order of this shop depends on the last two alone.
 */
export function demoConfig(quick: boolean): TrainConfig {
  const dropout = 0.2;
  return parseTrainConfig({
    description: 'Settings of `npm run demo`.',
    items: { style: 'items' },
    model: {
      hiddenSize: quick ? 32 : 64,
      attentionDropout: dropout,
      hiddenDropout: dropout,
      embeddingDropout: dropout,
    },
    methods: {
      ilrec: { reward: 'sft', rewardModels: 1, futureTargets: { weight: 0 } },
      sasrec: { hiddenDropout: dropout, attentionDropout: dropout },
    },
    training: {
      epochs: quick ? 2 : 20,
      batchSize: quick ? 32 : 64,
      maxHistory: 12,
      validationUsers: quick ? 100 : 300,
      evaluateEvery: quick ? 1 : 2,
      patience: null,
    },
  });
}

/** Five users drawn by a seed, not picked. */
async function makeExamples(prepared: PreparedData, { methods }: Comparison): Promise<DemoExample[]> {
  const { histories, targets } = splitData(prepared).test;
  const users = createRandom(0).shuffle(Int32Array.from(histories.keys())).slice(0, EXAMPLE_USERS);
  const titleOf = (item: number): string => prepared.titles?.[item] ?? prepared.itemIds[item];
  const lists = Array.from(users, (): { method: string; titles: string[] }[] => []);
  for (const { method, runs } of methods.filter(({ kind }) => kind !== 'counts')) {
    const run = await loadRun(runs[0].run);
    try {
      for (const [i, user] of users.entries()) {
        const items = await recommendFromRun(run, {
          history: Array.from(histories[user], (item) => prepared.itemIds[item]),
          k: EXAMPLE_LENGTH,
        });
        lists[i].push({ method, titles: items.map(({ id, title }) => title ?? id) });
      }
    } finally {
      run.dispose();
    }
  }
  return Array.from(users, (user, i) => ({
    user: prepared.userIds[user],
    history: Array.from(histories[user], titleOf),
    target: titleOf(targets[user]),
    lists: lists[i],
  }));
}
