import { IlrecError } from '../../errors';
import type { ItemScorer } from '../../models/item_scorer';
import type { PreferenceExamples, RejectedItems } from '../../tapped/item_pairs';
import { randomRejected, topRejected } from '../../tapped/rejected_items';
import type { ObjectiveContext } from '../language_model';
import type { Lists } from '../lists';
import { type GivenPairs, pairKey } from './read_pairs';
import type { PairSection } from './preference_section';

/** Histories that are ranked at once. */
const HISTORIES_AT_ONCE = 64;

/** The rejected items that the section asks for. */
export function rejectedOf(context: ObjectiveContext<PairSection>): RejectedItems {
  const { section, config, needs, data } = context;
  const options = {
    numRejected: section.numNegatives,
    excludeSeen: config.evaluation.seen === 'exclude',
    seed: config.seed,
  };
  const rules: Record<PairSection['negatives'], () => RejectedItems> = {
    uniform: () => randomRejected(options),
    popularity: () => randomRejected({ ...options, weights: data.itemCounts }),
    model: () => topRejected({ ...options, scorer: needs.negatives.scorer as ItemScorer }),
    beams: () => listedRejected(context, needs.start, section.numNegatives),
  };
  return rules[section.negatives]();
}

/** The best items of a model's own lists but for the chosen one, by the run's rule for items seen. */
export function listedRejected(
  { config: { evaluation } }: Pick<ObjectiveContext<unknown>, 'config'>,
  { scorer, recommender }: Lists,
  numRejected: number,
): RejectedItems {
  if (scorer !== null) return topRejected({ scorer, numRejected, excludeSeen: evaluation.seen === 'exclude' });
  return async (examples) => {
    const rejected = new Int32Array(examples.chosen.length * numRejected);
    for (let from = 0; from < examples.chosen.length; from += HISTORIES_AT_ONCE) {
      const histories = historiesOf(examples, from, from + HISTORIES_AT_ONCE);
      const lists = await recommender(histories, { ...evaluation, fusion: undefined }).recommend([...histories.keys()]);
      lists.forEach((list, i) => {
        const others = Array.from(list).filter((item) => item !== examples.chosen[from + i]);
        if (others.length < numRejected)
          throw new IlrecError(
            `trainRun: numNegatives must be at most the ${others.length} items that the model lists beside the chosen ` +
              `one, got ${numRejected}; raise evaluation.beamWidth`,
          );
        rejected.set(others.slice(0, numRejected), (from + i) * numRejected);
      });
    }
    return rejected;
  };
}

function historiesOf({ histories, rows, lengths }: PreferenceExamples, from: number, to: number): number[][] {
  return Array.from(rows.subarray(from, to), (row, i) => histories[row].slice(0, lengths[from + i]));
}

/** The rejected items of one's own pairs, in whatever order they are asked for. */
export function givenRejected({ examples: { histories, chosen }, rejected }: GivenPairs): RejectedItems {
  const numRejected = rejected.length / chosen.length;
  const places = new Map(histories.map((history, place) => [pairKey(history, chosen[place]), place]));
  return (asked) =>
    Int32Array.from(
      Array.from(asked.chosen, (item, example) => {
        const [history] = historiesOf(asked, example, example + 1);
        const place = places.get(pairKey(history, item)) as number;
        return [...rejected.subarray(place * numRejected, (place + 1) * numRejected)];
      }).flat(),
    );
}
