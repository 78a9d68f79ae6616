import * as z from 'zod';

/** Kinds of numbers that config fields share. */
export const positive = z.number().int().min(1);
export const rate = z.number().min(0).lt(1);
export const weight = z.number().min(0);

/** All fields optional, none filled in. */
export function partialWithoutDefaults<S extends z.ZodRawShape>(
  schema: z.ZodObject<S>,
): z.ZodObject<{ [K in keyof S]: z.ZodOptional<S[K]> }> {
  const bare = Object.entries(schema.shape).map(
    ([key, field]) => [key, (field instanceof z.ZodDefault ? field.unwrap() : field) as z.ZodType] as const,
  );
  return z.strictObject(
    Object.fromEntries(bare.map(([key, field]) => [key, field.optional()])),
  ) as unknown as z.ZodObject<{ [K in keyof S]: z.ZodOptional<S[K]> }>;
}
