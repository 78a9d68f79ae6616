import { calledAs, IlrecError, UnnamedError } from '../errors';
import { TopK } from '../generation/top_k';
import type { ItemScorer } from '../models/item_scorer';
import { mixSeeds } from '../ops/dropout';
import { createRandom } from '../random';
import { type PreferenceExamples, type RejectedItems, scoredExamples } from './item_pairs';
import { checkCount } from './preference_pairs';

interface SharedOptions {
  /** n, rejected items of an example, 1 or more. Default 1. */
  numRejected?: number;
  /** Whether items of the history are never rejected. Default true: the user has chosen them. */
  excludeSeen?: boolean;
}

export interface RandomRejectedOptions extends SharedOptions {
  /** Weights by which items are drawn, such as their numbers of interactions, [N]. Default: all alike. */
  weights?: ArrayLike<number>;
  /** Default 0. */
  seed?: number;
}

export interface TopRejectedOptions extends SharedOptions {
  /** The model whose best items are rejected. */
  scorer: ItemScorer;
}

/** Draws that may hit an item that is not allowed before the others are tried in order. */
const TRIES_PER_ITEM = 50;

/**
 * Draws rejected items for `itemPairs`, uniformly or by weights. The items of an example differ from one another and from
 * the chosen one, and depend on the seed and the example's place alone.
 *
 * @param options see `RandomRejectedOptions`.
 * @returns for the option `rejected`.
 * @throws IlrecError when an option is out of range; the function throws it where too few items are left to reject.
 * @example
 * ```ts
 * import { randomRejected } from 'tfjs-ilrec';
 *
 * const rejected = randomRejected({ numRejected: 2 });
 * const [rows, lengths, chosen] = [Int32Array.of(0), Int32Array.of(1), Int32Array.of(2)];
 * const items = await rejected({ numItems: 4, histories: [[1]], rows, lengths, chosen }); // 2 after 1
 * console.log([...items].sort()); // [ 0, 3 ]
 * ```
 */
export function randomRejected({
  numRejected = 1,
  excludeSeen = true,
  weights,
  seed = 0,
}: RandomRejectedOptions = {}): RejectedItems {
  calledAs('randomRejected', () => checkCount('numRejected', numRejected, 1));
  return (examples) =>
    calledAs('randomRejected', () => {
      const draw = drawer(examples.numItems, weights);
      return rejectedOf(examples, numRejected, excludeSeen, (example, isAllowed) => {
        const random = createRandom(mixSeeds(seed, example));
        const drawn = new Set<number>();
        for (let tries = TRIES_PER_ITEM * numRejected; tries > 0 && drawn.size < numRejected; tries--) {
          const item = draw(random.next());
          if (isAllowed(item)) drawn.add(item);
        }
        const start = random.int(examples.numItems);
        for (let i = 0; i < examples.numItems && drawn.size < numRejected; i++) {
          const item = (start + i) % examples.numItems;
          if (isAllowed(item)) drawn.add(item);
        }
        return drawn;
      });
    });
}

/** From a uniform number in [0, 1) to an item. */
function drawer(numItems: number, weights: ArrayLike<number> | undefined): (uniform: number) => number {
  if (weights === undefined) return (uniform) => Math.floor(uniform * numItems);
  if (weights.length !== numItems)
    throw new UnnamedError(`weights must be one for each of ${numItems} items, got ${weights.length}`);
  const sums = new Float64Array(numItems);
  let total = 0;
  for (let item = 0; item < numItems; item++) sums[item] = total += weights[item];
  if (!(total > 0)) throw new UnnamedError(`weights must sum to more than 0, got ${total}`);
  return (uniform) => {
    let [low, high] = [0, numItems - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle] > uniform * total) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/**
 * Takes the items that a model ranks highest as the rejected ones: hard pairs of a collaborative model, or what a language
 * model itself would say (self-play).
 *
 * @param options see `TopRejectedOptions`.
 * @returns for the option `rejected` of `itemPairs`; the best of the items that are not chosen come first.
 * @throws IlrecError when an option is out of range; the function throws it where too few items are left to reject.
 * @example
 * ```ts
 * import { topRejected, popularityScorer } from 'tfjs-ilrec';
 *
 * const rejected = topRejected({ scorer: popularityScorer([[0, 2], [2, 3]], 4), numRejected: 1 });
 * const [rows, lengths, chosen] = [Int32Array.of(0), Int32Array.of(1), Int32Array.of(2)];
 * console.log(await rejected({ numItems: 4, histories: [[0]], rows, lengths, chosen })); // Int32Array(1) [ 3 ]
 * ```
 */
export function topRejected({ scorer, numRejected = 1, excludeSeen = true }: TopRejectedOptions): RejectedItems {
  calledAs('topRejected', () => checkCount('numRejected', numRejected, 1));
  return async (examples) => {
    const { numItems } = examples;
    if (scorer.numItems !== numItems)
      throw new IlrecError(
        `topRejected: the scorer must have the ${numItems} items of the batches, got ${scorer.numItems}`,
      );
    const best = new TopK(numRejected);
    const lists: number[][] = [];
    for (const { from, to, all } of scoredExamples(scorer, examples)) {
      const scores = await all.data<'float32'>().finally(() => all.dispose());
      for (let example = from; example < to; example++) {
        const isAllowed = allowedOf(examples, example, excludeSeen);
        const row = scores.subarray((example - from) * numItems, (example - from + 1) * numItems);
        row.forEach((score, item) => {
          if (best.accepts(score, item) && isAllowed(item)) best.offer(score, item);
        });
        const list: number[] = [];
        best.drain((_, __, item) => list.push(item));
        lists.push(list);
      }
    }
    return calledAs('topRejected', () => rejectedOf(examples, numRejected, excludeSeen, (example) => lists[example]));
  };
}

/** Which items may be rejected. */
function allowedOf(
  { histories, rows, lengths, chosen }: PreferenceExamples,
  example: number,
  excludeSeen: boolean,
): (item: number) => boolean {
  const seen = new Set(excludeSeen ? histories[rows[example]].slice(0, lengths[example]) : []);
  return (item) => item !== chosen[example] && !seen.has(item);
}

/** @throws UnnamedError where an example has too few. */
function rejectedOf(
  examples: PreferenceExamples,
  numRejected: number,
  excludeSeen: boolean,
  itemsOf: (example: number, isAllowed: (item: number) => boolean) => Iterable<number>,
): Int32Array {
  const rejected = new Int32Array(examples.chosen.length * numRejected);
  examples.chosen.forEach((_, example) => {
    const items = [...itemsOf(example, allowedOf(examples, example, excludeSeen))];
    if (items.length < numRejected)
      throw new UnnamedError(
        `numRejected must be at most the ${items.length} items that are neither chosen nor seen, got ${numRejected}`,
      );
    rejected.set(items, example * numRejected);
  });
  return rejected;
}
