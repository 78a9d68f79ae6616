import * as z from 'zod';
import { nearestWord } from './nearest_word';

/**
 * Everything that is wrong with a config, a line each with its place: what was given, and for unknown keys which one may
 * be meant.
 *
 * @param value what was read by the schema.
 */
export function configProblems({ issues }: z.ZodError, schema: z.ZodType, value: unknown): string {
  const outermostFirst = [...issues].sort((a, b) => a.path.length - b.path.length);
  return outermostFirst
    .map((issue) => {
      const { message, path } = issue;
      const place = path.length === 0 ? '' : `\n  → at ${z.core.toDotPath(path)}`;
      return `✖ ${message}${hintOf(issue, schema)}${place}${givenText(issue, value)}`;
    })
    .join('\n');
}

/** For unknown keys the ones that may be meant. */
function hintOf(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  if (issue.code !== 'unrecognized_keys') return '';
  const found = issue.keys.map((key) => meant(key, issue.path.map(String), schema)).filter((key) => key !== null);
  return found.length === 0 ? '' : `; did you mean ${found.join(', ')}?`;
}

/** The value, unless the message has it. */
function givenText({ code, message, path }: z.core.$ZodIssue, value: unknown): string {
  if (code === 'unrecognized_keys' || / got |received (null|undefined)$/.test(message)) return '';
  const given = path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[String(key)] : undefined), value);
  return given === undefined ? '' : `, got ${JSON.stringify(given)}`;
}

/** A key of the same section, else one of another section with its path. */
function meant(key: string, path: readonly string[], schema: z.ZodType): string | null {
  const near = nearestWord(key, keysAt(schema, path));
  if (near !== null) return near;
  const all = allPaths(schema);
  const last = (one: string): string => one.split('.').at(-1) as string;
  const word = nearestWord(key, all.map(last));
  return word === null ? null : (all.find((one) => last(one) === word) ?? null);
}

function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  const found = path.reduce<z.ZodType | undefined>((inner, key) => (inner ? shapeOf(inner)[key] : undefined), schema);
  return found === undefined ? [] : Object.keys(shapeOf(found));
}

function allPaths(schema: z.ZodType): string[] {
  return Object.entries(shapeOf(schema)).flatMap(([key, inner]) => [
    key,
    ...allPaths(inner).map((rest) => `${key}.${rest}`),
  ]);
}

/** The fields of an object, within defaults, options and transforms; none for other values. */
function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  const {
    shape,
    innerType,
    in: input,
  } = schema.def as {
    shape?: Readonly<Record<string, z.ZodType>>;
    innerType?: z.ZodType;
    in?: z.ZodType;
  };
  if (shape !== undefined) return shape;
  const inner = innerType ?? input;
  return inner === undefined ? {} : shapeOf(inner);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
