import { basename, join } from 'node:path';
import { isRun } from './run_paths';
import { type AskedSeenRule, askedSeenRule, refuseFor, type SeenRule } from '../config/seen_rule';
import type { Resolved } from '../config/shared_config';
import { chooseSeenRule } from '../data/repeat_share';
import { splitData } from '../data/split_data';
import type { PreparedData } from '../data/types';
import type { Method } from '../methods/method';
import { findMethod, inOrder, type MethodName } from '../methods/registry';
import {
  parseTrainConfig,
  sectionOf,
  type TrainConfig,
  type TrainConfigInput,
  withSection,
} from '../methods/train_config';
import { loadPrepared } from '../preparation/prepared_folder_node';
import { IlrecError } from '../errors';
import type { EvaluationProtocol } from '../evaluation/protocol';
import { refuseNoPath, refuseUnknownOptions, requireBackend } from './call_checks';
import { claimFolderOfRuns } from './claim_folder';
import { comparedRun } from './compared_run';
import { comparePairs, type Comparison, sliceUsers, summarise } from './comparison';
import { equalBudgets } from './equal_budgets';
import { casesOf, type EvaluatedCases } from './evaluated_cases';
import { evaluateRun, type EvaluateRunOptions } from './evaluate_run';
import { type KeptEvaluation, readEvaluation } from './kept_evaluation';
import { datasetOptions } from '../recommender/dataset_options';
import { commonSeconds, type FinishedRun, readFinishedRun } from './run_cost';
import { readRunConfig } from './run_json';
import { trainRun, type TrainRunOptions } from './train_run';

export interface CompareOptions extends Pick<
  TrainRunOptions,
  'data' | 'config' | 'epochs' | 'signal' | 'callbacks' | 'onEvaluation' | 'onSeenRule'
> {
  /** Names of methods of the package, and methods of your own. */
  methods: readonly (MethodName | Method)[];
  /** Training seeds per method, counted up from the config's. Methods that only count run once. Default 1. */
  seeds?: number;
  /** The folder for the runs. Finished runs of the same config that are already there are reused. */
  out: string;
  /** Default 'test'. */
  split?: 'test' | 'valid';
  /** How many users are evaluated. Default all. */
  users?: number;
  /**
   * The rule for items seen, in place of the config's. Finished runs are evaluated by it too, without new training.
   * Default `auto`: what the runs at `out` have, else what the data asks for.
   */
  seen?: AskedSeenRule;
  /** Called before a run is trained, with its name. */
  onStart?: (label: string) => void;
  /** Called during evaluations, with the run's name and users done. */
  onProgress?: (label: string, done: number, total: number) => void;
}

const OPTIONS: readonly (keyof CompareOptions)[] = [
  ...(['data', 'config', 'epochs', 'signal', 'callbacks', 'onEvaluation', 'onSeenRule', 'methods', 'seeds'] as const),
  ...(['out', 'split', 'users', 'seen', 'onStart', 'onProgress'] as const),
];

/**
 * Trains and evaluates methods with one config, and compares them over the same users by one rule for items seen.
 *
 * A method that another one needs is trained once: ILRec's reward is the SASRec of the same comparison.
 *
 * @param options the methods, the dataset and the folder of the runs.
 * @returns means, intervals and paired tests, in the order of the tables.
 * @throws IlrecError when training is interrupted (the same call resumes it), a method or an option is unknown, the config is wrong,
 *   `out` holds anything else than a comparison, or the runs there have several rules for items seen.
 * @example
 * ```ts
 * import { compareMethods } from 'tfjs-ilrec/node';
 *
 * const { methods } = await compareMethods({ data: 'data', out: 'runs/compared', methods: ['popularity', 'markov'] });
 * console.log(methods.map(({ title }) => title).join(', ')); // Popularity, Markov
 * ```
 */
export async function compareMethods(options: CompareOptions): Promise<Comparison> {
  refuseUnknownOptions('compareMethods', options, OPTIONS);
  refuseNoPath('compareMethods', options.out);
  await requireBackend('compareMethods');
  const { data, seeds = 1, out, split = 'test', users, onStart, onProgress } = options;
  if (options.methods.length === 0)
    throw new IlrecError('compareMethods: methods must name at least one method, got none');
  if (!Number.isInteger(seeds) || seeds < 1)
    throw new IlrecError(`compareMethods: seeds must be a positive integer, got ${seeds}`);
  const own = options.methods.filter((one) => typeof one !== 'string');
  const methods = inOrder([...new Set(options.methods.map((one) => findMethod(one, own, 'compareMethods')))]);
  const prepared = await loadPrepared(data); // so that a wrong folder is reported before anything is trained
  const given = withEpochs(options);
  const { seed: firstSeed } = parseTrainConfig(given, 'config', { methods: own });
  const seedList = Array.from({ length: seeds }, (_, i) => firstSeed + i);
  const folders = methods.flatMap((method) => seedList.map((seed) => runFolder(out, method, seed)));
  await claimFolderOfRuns('compareMethods', out, [...folders, data]);
  const kept = await keptConfigs(folders, own);
  const parsed = parseTrainConfig(given, 'config', {
    methods: own,
    ...datasetOptions(prepared, [...kept.values()][0] ?? null),
  });
  const asked = askedSeenRule({ seen: options.seen ?? parsed.evaluation.seen }, refuseFor('compareMethods'));
  const seen = asked === 'auto' ? sharedRule(kept, prepared, options) : asked;
  const isReplaced = options.seen === seen;
  const config = { ...parsed, evaluation: { ...parsed.evaluation, seen } };
  const done = new Map<Method, DoneRun[]>();
  for (const method of afterTheirNeeds(methods, config)) {
    const isCounting = method.kind === 'counts';
    for (const seed of isCounting ? seedList.slice(0, 1) : seedList) {
      const label = seeds === 1 || isCounting ? method.name : `${method.name}, seed ${seed}`;
      onStart?.(label);
      const run = runFolder(out, method, seed);
      const shared = withSharedNeeds(config, method, methods, out, seed);
      const { manifest } = await trainRun({
        data,
        config: shared,
        out: run,
        method,
        methods: own,
        seed,
        seen: isReplaced && isRun(run) ? 'auto' : seen, // a run that is there keeps its own, in its validation
        resume: true,
        signal: options.signal,
        onEvaluation: options.onEvaluation,
        onSeenRule: options.onSeenRule,
        callbacks:
          options.callbacks &&
          ((trained) => options.callbacks?.(trained === method.name ? label : `${label}, ${trained}`) ?? []),
      });
      if (manifest.status !== 'done')
        throw new IlrecError(`compareMethods: ${label} was interrupted; run the same command again to resume it`);
      const evaluation = await evaluateOnce({
        run,
        split,
        users,
        seen,
        data,
        methods: own,
        onProgress: (done, total) => onProgress?.(label, done, total),
      });
      const section = sectionOf(await readRunConfig(run, own), method); // with the seed in the names of runs
      const finished = await readFinishedRun(run, manifest, method.needs?.(section) ?? [], section);
      done.set(method, [...(done.get(method) ?? []), { seed, run, ...finished, ...evaluation }]);
    }
  }
  return compareRuns(
    methods.map((method) => ({ method, runs: done.get(method) ?? [] })),
    { seeds: seedList, config, cases: casesOf(prepared, split, done.get(methods[0])?.[0].result.evaluatedUsers ?? []) },
  );
}

/** The config with the epochs that replace its own: runs that are there are compared as they are, not made longer. */
function withEpochs({ config = {}, epochs }: CompareOptions): TrainConfigInput {
  return epochs === undefined ? config : { ...config, training: { ...config.training, epochs } };
}

/** A run that is trained and evaluated. */
interface DoneRun extends FinishedRun, KeptEvaluation {
  readonly seed: number;
  readonly run: string;
}

function compareRuns(
  methods: readonly { readonly method: Method; readonly runs: readonly DoneRun[] }[],
  { seeds, config, cases }: Pick<Comparison, 'seeds' | 'config'> & { readonly cases: EvaluatedCases },
): Comparison {
  const all = methods.flatMap(({ runs }) => runs);
  const secondsOf = commonSeconds(all);
  const measured = methods.map(({ method, runs }) => ({
    method,
    results: runs.map(({ result }) => result),
    runs: runs.map((run) => comparedRun(run, secondsOf)),
  }));
  const compared = summarise(measured, cases);
  const protocols = methods.map(({ method, runs }): [string, EvaluationProtocol] => [
    method.name,
    runs[runs.length - 1].result.protocol,
  ]);
  return {
    data: all[0].manifest.data,
    backend: [...new Set(all.map(({ manifest }) => manifest.backend))].join(', '),
    seeds,
    users: all[0].result.users,
    rows: all[0].result.rows,
    config,
    protocols: Object.fromEntries(protocols),
    methods: compared,
    pairs: comparePairs(measured, cases),
    slices: sliceUsers(measured, cases),
    budgets: equalBudgets(compared),
    secondsOf,
    seconds: all.reduce((sum, { manifest, seconds }) => sum + manifest.seconds + seconds, 0),
  };
}

/** Where a compared run lies. */
export function runFolder(out: string, { name, kind }: Method, seed: number): string {
  return join(out, kind === 'counts' ? name : `${name}-seed${seed}`);
}

/** The methods in the order in which they are trained: each after those that it needs, else as in the table. */
function afterTheirNeeds(methods: readonly Method[], config: TrainConfig): Method[] {
  const ordered = new Set<Method>();
  const add = (method: Method): void => {
    const needed = (method.needs?.(sectionOf(config, method)) ?? []).map((need) => need.method);
    for (const one of methods) if (one !== method && needed.includes(one.name) && !ordered.has(one)) add(one);
    ordered.add(method);
  };
  methods.forEach(add);
  return [...ordered];
}

/** A trained method that another one needs is trained once: the other takes the compared run of the same seed. */
function withSharedNeeds(
  config: TrainConfig,
  method: Method,
  methods: readonly Method[],
  out: string,
  seed: number,
): TrainConfig {
  const section = sectionOf(config, method) as Record<string, unknown>;
  const shared = (method.needs?.(section) ?? []).flatMap(({ method: needed, runField, seedOffset = 0 }) => {
    const compared = methods.find(({ name, kind }) => name === needed && kind !== 'counts');
    if (compared === undefined || seedOffset !== 0 || runField === null || section[runField] !== undefined) return [];
    return [[runField, runFolder(out, compared, seed)] as const];
  });
  return withSection(config, method, { ...section, ...Object.fromEntries(shared) });
}

/**
 * The configs of the runs that are there, by their folders.
 *
 * @param methods the user's own.
 */
async function keptConfigs(
  folders: readonly string[],
  methods: readonly Method[],
): Promise<Map<string, Resolved<TrainConfig>>> {
  const found = new Map<string, Resolved<TrainConfig>>();
  for (const folder of folders.filter(isRun)) found.set(folder, await readRunConfig(folder, methods));
  return found;
}

/** The rule for items seen that the runs have, else the one that the data asks for. */
function sharedRule(
  kept: ReadonlyMap<string, Resolved<TrainConfig>>,
  prepared: PreparedData,
  { out, onSeenRule }: CompareOptions,
): SeenRule {
  const rules = new Map(Array.from(kept, ([folder, { evaluation }]) => [evaluation.seen, folder]));
  const [first, ...others] = rules.keys();
  if (others.length > 0)
    throw new IlrecError(
      `compareMethods: seen must be the same for every run at ${out}, got ` +
        `${[...rules].map(([rule, folder]) => `${rule} of ${basename(folder)}`).join(' and ')}; say which in seen`,
    );
  if (first !== undefined) return first;
  const choice = chooseSeenRule(splitData(prepared).train);
  onSeenRule?.(choice);
  return choice.seen;
}

/** The evaluation that the run keeps, where it asked the same, or a new one. */
async function evaluateOnce(
  options: EvaluateRunOptions & { split: 'test' | 'valid'; seen: SeenRule },
): Promise<KeptEvaluation> {
  const read = async (): Promise<KeptEvaluation | null> => await readEvaluation(options.run, options, options.methods);
  const kept = await read();
  if (kept !== null) return kept;
  await evaluateRun(options);
  return (await read()) as KeptEvaluation;
}
