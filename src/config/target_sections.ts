import * as z from 'zod';
import { positive } from './fields';

/**
 * The next items as further targets, for models whose tokens are items.
 *
 * @param weight the default of the share that they get; 0 for none.
 */
export function futureTargetsSchema(weight: number) {
  return z
    .strictObject({
      /** Share of the target that the next items get; the label keeps the rest. */
      weight: z.number().min(0).max(1).default(weight),
      /** How many of the next items count, the label among them. */
      numItems: positive.default(5),
      /** Weight of each further item relative to the one before. */
      decay: z.number().positive().max(1).default(0.5),
    })
    .prefault({});
}
