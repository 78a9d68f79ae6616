import * as z from 'zod';
import { positive } from './fields';

const weightField = z.number().min(0).max(1);

export type FutureTargetsSchema = z.ZodPrefault<
  z.ZodObject<{
    weight: z.ZodDefault<typeof weightField>;
    numItems: z.ZodDefault<typeof positive>;
    decay: z.ZodDefault<z.ZodNumber>;
  }>
>;

/**
 * The next items as further targets, for models whose tokens are items.
 *
 * @param weight the default of the share that they get; 0 for none.
 */
export function futureTargetsSchema(weight: number): FutureTargetsSchema {
  return z
    .strictObject({
      /** Share of the target that the next items get; the label keeps the rest. */
      weight: weightField.default(weight),
      /** How many of the next items count, the label among them. */
      numItems: positive.default(5),
      /** Weight of each further item relative to the one before. */
      decay: z.number().positive().max(1).default(0.5),
    })
    .prefault({});
}

/**
 * Over which tokens the softmax of training is: the whole vocabulary, or those with which an item can go on. With item
 * tokens every token is an item.
 */
export const restrictToSchema = z.enum(['vocabulary', 'validItems']).default('vocabulary');
