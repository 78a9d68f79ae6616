import * as z from 'zod';
import type { ItemScorer } from '../models/item_scorer';
import { scorerLists } from './lists';
import { type AskedModel, defineMethod, type Method } from './method';

/** The training histories, a line each, as item numbers: they are the model. */
const HISTORIES_FILE = 'histories.jsonl';

/** Name and appearance of a counting method. */
type Description<Name extends string> = Pick<Method<Name>, 'name' | 'title' | 'summary' | 'color' | 'order'>;

/**
 * A method that counts the training histories and trains nothing.
 *
 * @param scorerOf makes the scorer of `numItems` items from the histories.
 */
export function countingMethod<const Name extends string>(
  description: Description<Name>,
  scorerOf: (histories: readonly ArrayLike<number>[], numItems: number) => ItemScorer,
): Method<Name, Record<string, never>> {
  const model = (histories: readonly ArrayLike<number>[], numItems: number, maxHistory?: number): AskedModel => ({
    ...scorerLists(scorerOf(histories, numItems), { maxHistory }),
    dispose: () => undefined,
  });
  return defineMethod({
    ...description,
    kind: 'counts',
    comparedByDefault: true,
    section: z.strictObject({}),
    async build({ config, data, files }) {
      const { train } = data.split;
      return {
        ...model(train, data.numItems, config.training.maxHistory),
        training: null,
        save: () =>
          files.writeLines(
            HISTORIES_FILE,
            train.map((history) => [...history]),
          ),
      };
    },
    async load({ config, items, files }) {
      const histories = (await files.readLines(HISTORIES_FILE)) as number[][];
      return model(histories, items.length, config.training.maxHistory);
    },
  });
}
