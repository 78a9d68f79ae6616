import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MethodName } from './run_directory_node';
import { parseTrainConfig, type TrainConfig } from '../config/train_config';
import { demoCatalogue } from '../data/demo_catalogue';
import { writePrepared } from '../preparation/prepared_folder_node';
import { splitData } from '../data/split_data';
import { prepareInteractions } from '../preparation/prepare';
import type { PreparedData } from '../data/types';
import { createRandom } from '../random';
import { compareMethods, type CompareOptions } from './compare_node';
import type { Comparison } from './comparison';
import { loadRun } from './load_run_node';
import { recommendFromRun } from './recommend_run_node';

/** A user's history, the item chosen next, and what each method recommends; titles throughout. */
export interface DemoExample {
  readonly user: string;
  readonly history: readonly string[];
  readonly target: string;
  readonly lists: readonly { readonly method: MethodName; readonly titles: readonly string[] }[];
}

export interface RunDemoOptions extends Pick<CompareOptions, 'signal' | 'callbacks' | 'onEvaluation' | 'onStart' | 'onProgress'> {
  /** The folder for data, runs and report; what an earlier demo left there is removed. */
  out: string;
  /** A shorter form that shows that everything works. Default false. */
  quick?: boolean;
}

export interface DemoResult {
  readonly comparison: Comparison;
  readonly examples: readonly DemoExample[];
}

const METHODS: readonly MethodName[] = ['popularity', 'markov', 'sasrec', 'sft', 'ilrec'];
const EXAMPLE_USERS = 5;
const EXAMPLE_LENGTH = 5;

/** Generates the demo's shop, then trains and evaluates popularity, Markov, SASRec, SFT and ILRec on it: the same epochs, the same evaluator. */
export async function runDemo({ out, quick = false, ...watchers }: RunDemoOptions): Promise<DemoResult> {
  const data = join(out, 'data');
  const runs = join(out, 'runs');
  await rm(runs, { recursive: true, force: true });
  const shop = demoCatalogue(quick ? { numItems: 120, numUsers: 400 } : { numItems: 400, numUsers: 2400 });
  const prepared = prepareInteractions(shop, { levels: 2, codebookSize: quick ? 16 : 32 }, 'generated');
  await writePrepared(prepared, data);
  const comparison = await compareMethods({ ...watchers, data, out: runs, methods: METHODS, config: demoConfig(quick) });
  return { comparison, examples: await makeExamples(prepared, comparison) };
}

/** The demo's settings; the quick form trains less. */
export function demoConfig(quick: boolean): TrainConfig {
  return parseTrainConfig({
    description: 'Settings of `npm run demo`.',
    model: { hiddenSize: quick ? 32 : 64, numHiddenLayers: 3, numAttentionHeads: 4, hiddenDropout: 0.1, embeddingDropout: 0.1 },
    method: { numNegativeLayers: 2, rewardWeight: 1 },
    sasrec: { hiddenSize: 64, hiddenDropout: 0.2, attentionDropout: 0.2 },
    training: { epochs: quick ? 2 : 6, batchSize: 32, learningRate: 3e-3, maxHistory: 12, validationUsers: quick ? 100 : 300, patience: null },
    evaluation: { beamWidth: 20 },
  });
}

/** Five users drawn by a seed, not picked. */
async function makeExamples(prepared: PreparedData, { methods }: Comparison): Promise<DemoExample[]> {
  const { histories, targets } = splitData(prepared).test;
  const users = createRandom(0).shuffle(Int32Array.from(histories.keys())).slice(0, EXAMPLE_USERS);
  const titleOf = (item: number): string => prepared.titles?.[item] ?? prepared.itemIds[item];
  const lists = Array.from(users, (): { method: MethodName; titles: string[] }[] => []);
  for (const { method, runs } of methods.filter(({ method }) => method === 'sasrec' || method === 'sft' || method === 'ilrec')) {
    const run = await loadRun(runs[0].run);
    for (const [i, user] of users.entries()) {
      const items = await recommendFromRun(run, { history: Array.from(histories[user], (item) => prepared.itemIds[item]), k: EXAMPLE_LENGTH });
      lists[i].push({ method, titles: items.map(({ id, title }) => title ?? id) });
    }
    run.dispose();
  }
  return Array.from(users, (user, i) => ({ user: prepared.userIds[user], history: Array.from(histories[user], titleOf), target: titleOf(targets[user]), lists: lists[i] }));
}
