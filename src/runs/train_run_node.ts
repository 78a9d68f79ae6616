import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { BACKENDS } from '../backends/backend_table_node';
import type { EvaluationRecord } from '../callbacks/early_stopping';
import { writeJsonAtomically } from '../files/atomic_file_node';
import { abandonRun, claimRunFolder } from './run_folder_node';
import { isRun, type MethodName, readManifest, readRunConfig, type RunManifest, runPaths, writeHistories, writeItems, writeManifest } from './run_directory_node';
import type { TrainConfig } from '../config/train_config';
import { loadPrepared } from '../preparation/prepared_folder_node';
import type { PreparedData } from '../data/types';
import { IlrecError } from '../errors';
import type { ItemScorer } from '../models/item_scorer';
import { nodeMemoryLimit } from '../pretrained/memory_limit_node';
import { VERSION } from '../version';
import { type Arm, itemScorerRecommender, languageModelArm, sasrecArm, semanticIdModel } from '../methods/arms';
import { disposeModel } from '../models/dispose_model';
import { fitRun } from './fit_run_node';
import { countingScorer, loadRun } from './load_run_node';
import { refuseLongPrompts } from './refuse_long_prompts';
import { refuseLargeTraining, textArm } from '../methods/text_arm';
import { buildTextModel, readRunTemplates, refuseLargeModel, readTemplates, saveTextModel, writeTemplates } from '../methods/text_model_node';
import type { TrainingCallback } from '../training/train_model';
import { resolveConfig, trainingData, type TrainingData } from '../methods/training_data';
import { validate } from './validation';

export interface TrainRunOptions {
  /** A prepared folder. */
  data: string;
  /** The run directory to write. */
  out: string;
  method: MethodName;
  /** With every default filled in; `parseTrainConfig` does that. */
  config: TrainConfig;
  /** Replaces the config's epochs. */
  epochs?: number;
  /** Replaces the config's seed. */
  seed?: number;
  /** Goes on with the run at `out` where there is one. Default false. */
  resume?: boolean;
  /** When aborted, the run writes a checkpoint after the step in progress and ends as 'interrupted'. */
  signal?: AbortSignal;
  /** Watch the run, e.g. `progress()`; asked for once per model that is trained, with its name. */
  callbacks?: (label: string) => readonly TrainingCallback[];
  onEvaluation?: (label: string, record: EvaluationRecord, isBest: boolean) => void;
}

/** What a run came to. */
export interface TrainRunResult {
  readonly run: string;
  readonly manifest: RunManifest;
}

/**
 * Trains one method into a run directory: weights, tokenizer, item index, config, manifest, log and checkpoints.
 *
 * Runs on the backend that is set. A run killed at any moment goes on with `resume` and the same losses.
 * An error before the first checkpoint leaves nothing at `out`.
 * @throws IlrecError when `out` holds a run and `resume` is not set, the run there has another method, config, dataset or, where it is not done, backend, or `out` holds anything else.
 */
export async function trainRun(options: TrainRunOptions): Promise<TrainRunResult> {
  const { out, method, resume = false } = options;
  const prepared = await loadPrepared(options.data);
  const config = resolveConfig(options.config, prepared, options);
  const earlier = isRun(out) ? await readManifest(out) : null;
  if (earlier !== null) {
    if (!resume) throw new IlrecError(`trainRun: ${out} already holds a run; add --resume to go on with it, or choose another --out`);
    await checkSameRun(out, earlier, method, config, prepared);
    if (earlier.status === 'done') return { run: out, manifest: earlier };
    checkSameBackend(out, earlier);
  }
  const data = trainingData(prepared);
  const begun: RunManifest = { ...(earlier ?? newManifest(options, config, prepared)), status: 'running' };
  if (earlier === null) await claimRunFolder(out, config);
  const startedAt = performance.now();
  let outcome: Outcome;
  try {
    if (earlier === null) await beginRun(out, begun, config, prepared, data);
    outcome = await runMethod(options, config, data);
  } catch (error) {
    if (earlier === null) await abandonRun(out); // where nothing was trained, the same folder takes the command that is put right
    throw error;
  }
  const manifest: RunManifest = { ...begun, ...outcome, seconds: begun.seconds + (performance.now() - startedAt) / 1000 };
  await writeManifest(out, manifest);
  return { run: out, manifest };
}

type Outcome = Pick<RunManifest, 'status'> & Partial<Pick<RunManifest, 'steps' | 'stepsPerEpoch' | 'parameters' | 'validation'>>;

async function runMethod(options: TrainRunOptions, config: TrainConfig, data: TrainingData): Promise<Outcome> {
  const { method } = options;
  return method === 'popularity' || method === 'markov' ? await count(method, options, config, data) : await train(options, config, data);
}

/** Popularity and Markov: nothing to train but counts. */
async function count(method: 'popularity' | 'markov', { onEvaluation }: TrainRunOptions, config: TrainConfig, data: TrainingData): Promise<Outcome> {
  const { validationUsers } = config.training;
  if (validationUsers === 0) return { status: 'done' };
  const scorer = countingScorer(method, data.split.train, data.numItems);
  const metrics = await validate((histories) => itemScorerRecommender(scorer, config, histories), config, validationUsers, data);
  const best: EvaluationRecord = { step: 0, epochs: 0, metrics };
  onEvaluation?.(method, best, true);
  return { status: 'done', validation: { users: Math.min(validationUsers, data.split.valid.targets.length), bestStep: 0, best } };
}

async function train(options: TrainRunOptions, config: TrainConfig, data: TrainingData): Promise<Outcome> {
  const { out, method, signal, callbacks, onEvaluation } = options;
  const build = method === 'sasrec' ? null : await languageBuild(options, config, data); // what is wrong with the model is told before a reward is trained
  const reward = method === 'ilrec' ? await rewardScorer(options, config, data).catch((error: unknown) => {
    build?.dispose();
    throw error;
  }) : null;
  if (reward === 'interrupted') {
    build?.dispose();
    return { status: 'interrupted' };
  }
  const arm = build === null ? sasrecArm(config, data) : build.arm(reward?.scorer ?? null);
  const { validationUsers } = arm.training;
  try {
    const { bestStep, best, ...outcome } = await fitRun({
      out,
      arm,
      validate: () => validate(arm.recommender, config, validationUsers, data),
      callbacks: callbacks?.(method),
      signal,
      onEvaluation: onEvaluation && ((record, isBest) => onEvaluation(method, record, isBest)),
    });
    return { ...outcome, validation: validationUsers === 0 ? null : { users: Math.min(validationUsers, data.split.valid.targets.length), bestStep, best } };
  } finally {
    arm.dispose?.();
    disposeModel(arm.model);
    reward?.dispose();
  }
}

/** A language model that waits for its reward. */
interface LanguageBuild {
  arm(reward: ItemScorer | null): Arm;
  /** Instead of `arm`: frees the model. */
  dispose(): void;
}

/** The model of `ilrec` and `sft`, over semantic ids alone or over text. */
async function languageBuild({ data: folder, out, method }: TrainRunOptions, config: TrainConfig, data: TrainingData): Promise<LanguageBuild> {
  const terms = method === 'ilrec';
  if (config.items.style === 'ids') {
    refuseLargeModel({ ...config.model, vocabSize: data.tokenizer.vocabSize });
    const model = semanticIdModel(config, data);
    return { arm: (reward) => languageModelArm(config, data, model, { terms, reward }), dispose: () => disposeModel(model) };
  }
  const text = await buildTextModel(config, await loadPrepared(folder), await readRunTemplates(out));
  const build: LanguageBuild = {
    arm: (reward) => ({ ...textArm(config, data, text, { terms, reward }), save: (run) => saveTextModel(run, text), dispose: () => text.adapter?.remove() }),
    dispose: () => {
      text.adapter?.remove();
      disposeModel(text.model);
    },
  };
  try {
    refuseLongPrompts(config, data, text);
    refuseLargeTraining(config, data, text, nodeMemoryLimit(), terms);
    return build;
  } catch (error) {
    build.dispose();
    throw error;
  }
}

/** The frozen model behind ILRec's reward; SASRec is trained into the run's own folder unless the config names a finished run. */
async function rewardScorer(options: TrainRunOptions, config: TrainConfig, data: TrainingData): Promise<{ scorer: ItemScorer; dispose(): void } | 'interrupted' | null> {
  const { reward, rewardWeight, rewardRun } = config.method;
  if (rewardWeight === 0) return null;
  if (rewardRun === undefined) {
    if (reward === null) return null;
    if (reward !== 'sasrec') return { scorer: countingScorer(reward, data.split.train, data.numItems), dispose: () => undefined };
    const { callbacks, onEvaluation } = options;
    const { manifest } = await trainRun({
      ...options,
      out: runPaths(options.out).reward,
      method: 'sasrec',
      config,
      epochs: undefined,
      resume: true,
      callbacks: callbacks && (() => callbacks('reward')),
      onEvaluation: onEvaluation && ((_, record, isBest) => onEvaluation('reward', record, isBest)),
    });
    if (manifest.status !== 'done') return 'interrupted';
  }
  const folder = rewardRun ?? runPaths(options.out).reward;
  const run = await loadRun(folder);
  if (run.scorer === null) throw new IlrecError(`trainRun: rewardRun must be a run of sasrec, popularity or markov, got ${run.manifest.method} at ${folder}`);
  if (run.items.length !== data.numItems) throw new IlrecError(`trainRun: rewardRun must have the dataset's ${data.numItems} items, got ${run.items.length} at ${folder}`);
  return { scorer: run.scorer, dispose: run.dispose };
}

/** Writes everything that is known before training; the manifest last, since it says that there is a run. */
async function beginRun(out: string, manifest: RunManifest, config: TrainConfig, prepared: PreparedData, { tokenizer, itemCounts, split }: TrainingData): Promise<void> {
  const paths = runPaths(out);
  const isLanguageModel = manifest.method === 'ilrec' || manifest.method === 'sft';
  if (isLanguageModel && config.training.initialWeights !== undefined) await readManifest(config.training.initialWeights); // told before a reward is trained
  await writeJsonAtomically(paths.config, config);
  const isText = config.items.style !== 'ids' && isLanguageModel;
  if (isText) await writeTemplates(out, await readTemplates(config));
  else await writeJsonAtomically(paths.tokenizer, tokenizer.toJSON());
  await writeItems(
    out,
    prepared.itemIds.map((id, item) => ({ id, title: prepared.titles?.[item] ?? null, count: itemCounts[item], ...(isText && { semanticId: prepared.semanticIds[item] }) })),
  );
  if (manifest.method === 'popularity' || manifest.method === 'markov') await writeHistories(out, split.train);
  await writeManifest(out, manifest);
}

function newManifest({ data, method }: TrainRunOptions, config: TrainConfig, prepared: PreparedData): RunManifest {
  const { users, items, interactions } = prepared.report;
  return {
    kind: 'tfjs-ilrec run',
    version: 1,
    method,
    status: 'running',
    seed: config.seed,
    backend: tf.getBackend(),
    versions: { 'tfjs-ilrec': VERSION, 'tfjs-core': tf.version_core, 'tfjs-layers': tfl.version_layers, node: process.versions.node },
    data: { folder: resolve(data), name: prepared.name, checksum: prepared.checksum ?? '', users, items, interactions },
    parameters: 0,
    steps: 0,
    stepsPerEpoch: 0,
    seconds: 0,
    startedAt: new Date().toISOString(),
    validation: null,
  };
}

/** Backends differ in the last digits: half a run on each has the losses of neither. */
function checkSameBackend(out: string, { backend }: RunManifest): void {
  if (backend === tf.getBackend()) return;
  const names = Object.entries(BACKENDS).flatMap(([name, { tfjsName }]) => (tfjsName === backend ? name : []));
  throw new IlrecError(`trainRun: --resume needs the backend that ${out} was begun on, ${backend}, got ${tf.getBackend()}; use --backend ${names.join(' or ') || backend}, or choose another --out`);
}

/** A resumed run must be the run that was begun. */
async function checkSameRun(out: string, earlier: RunManifest, method: MethodName, config: TrainConfig, prepared: PreparedData): Promise<void> {
  if (earlier.method !== method) throw new IlrecError(`trainRun: --resume goes on with the method of ${out}, ${earlier.method}, got ${method}; choose another --out`);
  if (earlier.data.checksum !== prepared.checksum) throw new IlrecError(`trainRun: --resume needs the dataset that ${out} was begun with, got one with another checksum; choose another --out`);
  const begun = await readRunConfig(out);
  const asked = JSON.parse(JSON.stringify(config)) as TrainConfig; // as a file would hold it: no undefined fields
  const sections = Object.keys(asked) as (keyof TrainConfig)[];
  const differing = sections.filter((section) => !isDeepStrictEqual(begun[section], asked[section]));
  if (differing.length > 0) throw new IlrecError(`trainRun: --resume needs the config that ${out} was begun with, got other values in ${differing.join(', ')}; use its config.json, or choose another --out`);
}
