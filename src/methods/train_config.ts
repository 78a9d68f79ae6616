import * as z from 'zod';
import { configProblems } from '../config/config_problems';
import { askedSeenRule, type AskedSeenRule, refuseFor } from '../config/seen_rule';
import {
  checkSharedConfig,
  type Resolved,
  type FusionConfig,
  type SharedConfig,
  sharedSections,
  withoutFusion,
} from '../config/shared_config';
import { DEFAULT_MAX_HISTORY } from '../config/training_sections';
import { chooseSeenRule } from '../data/repeat_share';
import { splitData } from '../data/split_data';
import { withDefaults, withStyleDefaults } from '../config/style_defaults';
import type { PreparedData } from '../data/types';
import { IlrecError } from '../errors';
import type { Method, Need } from './method';
import { findMethod, type MethodName, METHODS, type REGISTRY, withOwn } from './registry';

/** The sections of the package's methods, by name. */
export type MethodSections = {
  [M in (typeof REGISTRY)[number] as M['name']]: M extends Method<string, infer Section> ? Section : never;
};

/** A config with every default filled in. */
export type TrainConfig = SharedConfig & { methods: MethodSections };

/**
 * A config as a file holds it: everything may be left out. Methods of a user's own have their section under `methods`
 * too.
 */
export type TrainConfigInput = z.input<z.ZodObject<typeof sharedSections>> & {
  methods?: { [Name in MethodName]?: Partial<MethodSections[Name]> } & { readonly [own: string]: unknown };
  /** What `methods.ilrec` was called before 0.2. */
  method?: Partial<MethodSections['ilrec']>;
  /** What `methods.sasrec` was called before 0.2. */
  sasrec?: Partial<MethodSections['sasrec']>;
};

/** How a config is read. */
export interface ParseTrainConfigOptions {
  /** Methods of the user's own, whose sections the config may hold. */
  methods?: readonly Method[];
  /**
   * What `items.style: 'auto'` is for the dataset. Default: it stays open, with the defaults of 'items'; for a catalogue
   * of more than 200,000 items, say 'ids'.
   */
  autoStyle?: 'items' | 'ids';
  /** Users of the dataset: few make the default of `training.batchSize` smaller where the tokens are items. */
  users?: number;
}

/**
 * Reads the config of a run as `parseTrainConfig` does. Sections of methods that are not known here are left out: the
 * run of one method can be read without the others that it was compared with.
 */
export function parseRunConfig(value: unknown, source: string, methods: readonly Method[]): Resolved<TrainConfig> {
  // a run without a style or a rule is of a release that had none: items were semantic ids, and those seen came again
  const config = parseConfig(withoutUnknownSections(value, methods), source, false, { methods, autoStyle: 'ids' });
  const { evaluation } = config;
  return { ...config, evaluation: { ...evaluation, seen: evaluation.seen === 'auto' ? 'allow' : evaluation.seen } };
}

function withoutUnknownSections(value: unknown, methods: readonly Method[]): unknown {
  if (!holds(value, 'methods')) return value;
  const known = new Set(withOwn(methods).map(({ name }) => name));
  const sections = Object.entries(value.methods as object).filter(([name]) => known.has(name));
  return { ...value, methods: Object.fromEntries(sections) };
}

/**
 * Checks a config and fills in the defaults. Unknown keys are refused.
 *
 * @param value what a config file holds; sections and fields may be left out.
 * @param source the file's name, for errors. Default 'config'.
 * @param options `methods`: methods of your own whose sections the config may hold.
 * @returns the config with every default.
 * @throws IlrecError that lists everything wrong with it.
 * @example
 * ```ts
 * import { parseTrainConfig } from 'tfjs-ilrec/node';
 *
 * const config = parseTrainConfig({ training: { epochs: 3 }, methods: { ilrec: { penaltyWeight: 0.2 } } });
 * console.log(config.training.epochs, config.training.batchSize, config.methods.ilrec.penaltyWeight); // 3 128 0.2
 * ```
 */
export function parseTrainConfig(
  value: unknown,
  source = 'config',
  options: ParseTrainConfigOptions = {},
): TrainConfig {
  return parseConfig(value, source, true, options);
}

/** @param checksNeeds whether the methods that others need must be known. */
function parseConfig(
  given: unknown,
  source: string,
  checksNeeds: boolean,
  { methods: own = [], autoStyle, users }: ParseTrainConfigOptions,
): TrainConfig {
  const methods = withOwn(own, 'parseTrainConfig');
  const old = methods.filter(({ oldSectionKey }) => oldSectionKey !== undefined && holds(given, oldSectionKey));
  const twice = old.find(({ name }) => holds(given, 'methods') && holds(given.methods, name));
  if (twice !== undefined)
    throw new IlrecError(
      `parseTrainConfig: ${source} must hold the settings of ${twice.name} once, got both methods.${twice.name} ` +
        `and ${twice.oldSectionKey}; keep methods.${twice.name}`,
    );
  const changes = ({ itemDefaults = {} }: Method): Readonly<Record<string, unknown>> => itemDefaults;
  const sections = sectionsOf(without(methods, old), ({ name }) => name, changes);
  const styled = withStyleDefaults(given, sections, autoStyle, users);
  const value = isOfItems(styled) ? withDefaults(sectionsOf(old, oldKeyOf, changes), styled) : styled;
  const schema = z.strictObject({
    ...sharedSections,
    methods: z.strictObject(sectionsOf(methods, ({ name }) => name, prefilled)).prefault({}),
    ...sectionsOf(old, oldKeyOf, ({ section }) => section),
  });
  const parsed = schema
    .superRefine((config, context) => {
      checkSharedConfig(config, context);
      if (!checksNeeds) return;
      const places = [
        ...without(methods, old).map((one) => [one, ['methods', one.name]] as const),
        ...old.map((one) => [one, [oldKeyOf(one)]] as const),
      ];
      for (const [method, path] of places) checkNeeds(method, methods, config, [...path], context);
      checkFusion(methods, config, context);
    })
    .safeParse(value);
  if (!parsed.success)
    throw new IlrecError(
      `parseTrainConfig: ${source} must follow the config's rules:\n${configProblems(parsed.error, schema, value)}`,
    );
  const read = parsed.data as SharedConfig & Record<string, unknown> & { methods: Record<string, unknown> };
  const config: Record<string, unknown> & { methods: Record<string, unknown> } = {
    ...read,
    methods: { ...read.methods },
  };
  for (const one of old) {
    config.methods[one.name] = config[oldKeyOf(one)];
    delete config[oldKeyOf(one)];
  }
  return config as unknown as TrainConfig;
}

/** The section of a method, the user's own included. */
export function sectionOf<Section>(config: TrainConfig, { name }: Method<string, Section>): Section {
  return (config.methods as Record<string, unknown>)[name] as Section;
}

/**
 * The config as a run keeps it: with the sections of the package's methods, and of those of the user's own that the run
 * reads.
 */
export function withoutUnusedSections<Config extends TrainConfig>(config: Config, used: readonly string[]): Config {
  const kept = Object.entries(config.methods).filter(
    ([name]) => used.includes(name) || METHODS.some((known) => known === name),
  );
  return { ...config, methods: Object.fromEntries(kept) as MethodSections };
}

/** The names of the methods whose sections a run reads: its own, and those of the methods that are trained for it. */
export function usedMethods(method: Method, config: TrainConfig, methods: readonly Method[]): string[] {
  const needed = (method.needs?.(sectionOf(config, method)) ?? []).map((need) => need.method);
  const other = fusionOf(config, method)?.method;
  const plain = withoutFusion(config);
  return [
    method.name,
    ...[...needed, ...(other === undefined ? [] : [other])].flatMap((name) =>
      usedMethods(findMethod(name, methods), plain, methods),
    ),
  ];
}

/** The other model whose scores count in the lists of a method; null for none. */
export function fusionOf({ evaluation: { fusion } }: SharedConfig, { kind }: Pick<Method, 'kind'>): FusionConfig {
  return kind === 'language-model' ? fusion : null;
}

/** What the other model of a fusion must be; its fields are places in the config. */
export const FUSION_NEED = {
  role: 'fusion',
  kinds: ['counts', 'item-scorer', 'language-model'],
  scoresItems: true,
  isKept: true,
  methodField: 'evaluation.fusion.method',
  runField: 'evaluation.fusion.run',
} as const satisfies Omit<Need, 'method'>;

/** The config with another section for a method. */
export function withSection(config: TrainConfig, { name }: Method, section: object): TrainConfig {
  return { ...config, methods: { ...config.methods, [name]: section } };
}

/**
 * Fills in what depends on the dataset and the command line; {seed} in paths becomes the seed. Epochs that are not given
 * stay open until the method has made its batches.
 */
export function resolveConfig(
  config: TrainConfig,
  prepared: PreparedData,
  overrides: { epochs?: number; seed?: number; seen?: AskedSeenRule } = {},
): Resolved<TrainConfig> {
  const { training, methods, backbone, evaluation } = config;
  const { seed = config.seed, epochs = training.epochs } = overrides;
  if (!Number.isInteger(seed) || seed < 0)
    throw new IlrecError(`trainRun: seed must be a whole number of at least 0, got ${String(seed)}`);
  const asked = askedSeenRule({ seen: overrides.seen ?? evaluation.seen }, refuseFor('trainRun'));
  const seen = asked === 'auto' ? chooseSeenRule(splitData(prepared).train).seen : asked;
  const validationUsers = prepared.cases?.valid.length === 0 ? 0 : training.validationUsers; // nothing to validate on
  const evaluateEvery = training.evaluateEvery ?? (epochs === undefined ? undefined : 1);
  const maxHistory = training.maxHistory ?? prepared.report.maxHistory ?? DEFAULT_MAX_HISTORY;
  return {
    ...config,
    seed,
    methods: withSeed(methods, seed),
    backbone: withSeed(backbone, seed),
    training: { ...withSeed(training, seed), validationUsers, maxHistory, epochs, evaluateEvery },
    evaluation: { ...withSeed(evaluation, seed), seen },
  };
}

/** {seed} in every text of a section becomes the seed. */
function withSeed<T>(value: T, seed: number): T {
  if (typeof value === 'string') return value.replaceAll('{seed}', String(seed)) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => withSeed(one, seed)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, withSeed(field, seed)])) as T;
}

function holds<Key extends string>(value: unknown, key: Key): value is { readonly [K in Key]: unknown } {
  return typeof value === 'object' && value !== null && (value as Record<string, unknown>)[key] !== undefined;
}

function sectionsOf<Value>(
  methods: readonly Method[],
  keyOf: (method: Method) => string,
  schemaOf: (method: Method) => Value,
): Record<string, Value> {
  return Object.fromEntries(methods.map((method) => [keyOf(method), schemaOf(method)]));
}

function oldKeyOf({ oldSectionKey = '' }: Method): string {
  return oldSectionKey;
}

/** Whether the tokens of the config's language model are items, as far as it says. */
function isOfItems(value: unknown): value is Readonly<Record<string, unknown>> {
  const style = holds(value, 'items') && holds(value.items, 'style') ? value.items.style : null;
  return style === 'items' || style === 'auto';
}

function without<T>(all: readonly T[], some: readonly T[]): T[] {
  return all.filter((one) => !some.includes(one));
}

function prefilled({ section }: Method): z.ZodType {
  return section.prefault({});
}

/** The method that another one needs must be known, of a kind that is accepted, and must not need the first. */
function checkNeeds(
  method: Method,
  methods: readonly Method[],
  config: SharedConfig,
  path: string[],
  context: z.RefinementCtx,
): void {
  const section = path.reduce<unknown>((value, key) => (holds(value, key) ? value[key] : undefined), config);
  for (const need of method.needs?.(section) ?? []) {
    const usable = methods.filter((one) => canServe(one, need, config) && one !== method).map(({ name }) => name);
    const refuse = (message: string): void =>
      context.addIssue({ code: 'custom', path: [...path, need.methodField], message });
    if (!usable.includes(need.method)) refuse(`must be one of ${usable.join(', ')}, got ${need.method}`);
    else if (needsIt(need.method, method.name, methods, config, []))
      refuse(`must not need ${method.name} itself, got ${need.method}, which does`);
  }
}

/** The method that lists are fused with must be known, and score items. */
function checkFusion(methods: readonly Method[], config: SharedConfig, context: z.RefinementCtx): void {
  const method = config.evaluation.fusion?.method;
  if (method === undefined) return;
  const usable = methods.filter((one) => canServe(one, { ...FUSION_NEED, method }, config)).map(({ name }) => name);
  if (usable.includes(method)) return;
  const message = `must be one of ${usable.join(', ')}, got ${method}`;
  context.addIssue({ code: 'custom', path: ['evaluation', 'fusion', 'method'], message });
}

/** Whether a method is of an accepted kind and scores items where it must. */
export function canServe({ kind, scoresItems = true }: Method, need: Need, { items }: SharedConfig): boolean {
  const scores = kind !== 'language-model' || (scoresItems && (items.style === 'items' || items.style === 'auto'));
  return need.kinds.includes(kind) && (scores || need.scoresItems !== true);
}

/** Whether a method needs another one, directly or through others. */
function needsIt(name: string, other: string, methods: readonly Method[], config: object, seen: string[]): boolean {
  const method = methods.find((one) => one.name === name);
  const sections = (config as { methods?: Record<string, unknown> }).methods ?? {};
  const needs = method?.needs?.(sections[name]) ?? [];
  return needs.some(
    (need) =>
      need.method === other ||
      (!seen.includes(need.method) && needsIt(need.method, other, methods, config, [...seen, name])),
  );
}
