import * as z from 'zod';
import { sharedSections } from '../../src/config/shared_config';
import type { Method } from '../../src/methods/method';
import { REGISTRY } from '../../src/methods/registry';

/** The paths of all fields of a config, such as methods.ilrec.penalty. */
export function configKeys(): string[] {
  const sections = (REGISTRY as readonly Method[]).map(({ name, section }) => [name, section] as const);
  return leavesOf(z.strictObject({ ...sharedSections, methods: z.strictObject(Object.fromEntries(sections)) }));
}

/** Paths of all fields of a schema; a section that only repeats another one is a field. */
function leavesOf(schema: z.ZodType, path: readonly string[] = []): string[] {
  let inner: unknown = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodNullable ||
    inner instanceof z.ZodPipe
  )
    inner = inner instanceof z.ZodPipe ? inner.in : inner.unwrap();
  const repeats = path.length === 3 && path[2] === 'training';
  if (!(inner instanceof z.ZodObject) || repeats) return [path.join('.')];
  return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([key, field]) =>
    leavesOf(field, [...path, key]),
  );
}
