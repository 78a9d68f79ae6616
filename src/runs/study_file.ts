import * as z from 'zod';
import { withDefaults } from '../config/style_defaults';
import { IlrecError } from '../errors';
import { METHODS, type MethodName } from '../methods/registry';

const config = z.record(z.string(), z.unknown());

const studySchema = z.strictObject({
  /** Free text. */
  description: z.string().optional(),
  /** The method of arms that name none. */
  method: z.string().default('ilrec'),
  /** What all arms have in common, as a config file holds it. */
  config: config.default({}),
  /** Keys of the config that take the run of an arm, in all arms behind it. */
  runs: z.record(z.string(), z.string()).default({}),
  /** What is compared; the first arm is what the others are measured against. */
  arms: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        method: z.string().optional(),
        /** Settings in place of the common ones, key by key. */
        config: config.default({}),
        /** Keys of the config that take the run of another arm, of the same seed. */
        runs: z.record(z.string(), z.string()).default({}),
      }),
    )
    .min(1),
  /** Keys of the config with values; each value makes an arm of its own. */
  grids: z.record(z.string(), z.array(z.unknown()).min(1)).default({}),
});

/** A study as its file holds it. */
export interface StudyInput {
  /** Free text. */
  description?: string;
  /** The method of arms that name none. Default 'ilrec'. */
  method?: string;
  /** What all arms have in common, as a config file holds it. Default every default. */
  config?: Record<string, unknown>;
  /** Keys of the config that take the run of an arm, in all arms behind it. Default none. */
  runs?: Record<string, string>;
  /** What is compared; the others are measured against the first. */
  arms: StudyArmInput[];
  /** Keys of the config with values; each value makes an arm of its own. Default none. */
  grids?: Record<string, unknown[]>;
}

/** An arm as a study file holds it. */
export interface StudyArmInput {
  name: string;
  /** Default: the study's. */
  method?: string;
  /** Settings in place of the common ones, key by key. Default none. */
  config?: Record<string, unknown>;
  /** Keys of the config that take the run of another arm, of the same seed. Default none. */
  runs?: Record<string, string>;
}

/** One arm of a study: a method and its config. */
export interface StudyArm {
  readonly name: string;
  /** The name as a folder. */
  readonly folder: string;
  readonly method: MethodName;
  readonly config: Readonly<Record<string, unknown>>;
  /** Keys of the config that take the run of another arm, and that arm. */
  readonly runs: Readonly<Record<string, string>>;
}

/**
 * Reads a study: every arm with its whole config, those of grids behind the others.
 *
 * @param source the file's name, for errors.
 * @throws IlrecError when the study breaks its rules, two arms have one name, or an arm takes the run of an arm that is
 *   not before it.
 */
export function parseStudy(value: unknown, source = 'study'): StudyArm[] {
  const parsed = studySchema.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`);
    throw new IlrecError(`studyMethods: ${source} must be a study, got ${problems.join('; ')}`);
  }
  const { method, config: common, runs: commonRuns, arms, grids } = parsed.data;
  const ofGrids = Object.entries(grids).flatMap(([key, values]) =>
    values.map((one) => ({
      name: `${key} ${JSON.stringify(one)}`,
      config: withValue({}, key, one),
      runs: {},
      method: undefined,
    })),
  );
  const usual = methodOf(method, source);
  const unknown = Object.entries(commonRuns).find(([, arm]) => !arms.some(({ name }) => name === arm));
  if (unknown !== undefined)
    throw new IlrecError(`studyMethods: ${source}: runs.${unknown[0]} must name one of the arms, got "${unknown[1]}"`);
  const all = [...arms, ...ofGrids].map((arm, i, list) => ({
    name: arm.name,
    folder: folderOf(arm.name),
    method: arm.method === undefined ? usual : methodOf(arm.method, source),
    config: withDefaults(common, arm.config),
    runs: { ...availableAt(i, list, commonRuns), ...arm.runs },
  }));
  all.forEach(({ name, folder, runs }, i) => {
    const before = all.slice(0, i);
    const twin = before.find((one) => one.folder === folder);
    if (twin !== undefined)
      throw new IlrecError(
        `studyMethods: ${source} must give each arm a name of its own, got "${name}" and "${twin.name}"`,
      );
    const missing = Object.entries(runs).find(([, arm]) => !before.some((one) => one.name === arm));
    if (missing !== undefined)
      throw new IlrecError(
        `studyMethods: ${source}: ${missing[0]} of the arm "${name}" must take the run of an arm before it, got ` +
          `"${missing[1]}"`,
      );
  });
  return all;
}

/** Those of the common runs whose arm comes before. */
function availableAt(
  i: number,
  arms: readonly { readonly name: string }[],
  runs: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(runs).filter(([, arm]) => arms.slice(0, i).some(({ name }) => name === arm)),
  );
}

function methodOf(name: string, source: string): MethodName {
  const found = METHODS.find((one) => one === name);
  if (found === undefined)
    throw new IlrecError(`studyMethods: ${source}: method must be one of ${METHODS.join(', ')}, got ${name}`);
  return found;
}

function folderOf(name: string): string {
  const words = name.toLowerCase().replace(/[^a-z0-9.]+/g, '-');
  return words.replace(/^[-.]+|[-.]+$/g, '') || 'arm';
}

type Json = Readonly<Record<string, unknown>>;

/** The object with a value at a dotted path. */
export function withValue(base: Json, path: string, value: unknown): Json {
  const [key, ...rest] = path.split('.');
  const inner = isObject(base[key]) ? base[key] : {};
  return { ...base, [key]: rest.length === 0 ? value : withValue(inner, rest.join('.'), value) };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
