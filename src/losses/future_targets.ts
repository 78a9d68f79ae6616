import { IlrecError } from '../errors';

/** Options of `futureTargets`. */
export interface FutureTargetsOptions {
  /** How many of the next items count, the label among them. Default 5. */
  numItems?: number;
  /** Weight of each further item relative to the one before, above 0, at most 1. Default 0.5. */
  decay?: number;
}

/** Items that share a target, and their shares, which sum to 1. */
export interface ItemShares {
  readonly items: readonly number[];
  readonly shares: readonly number[];
}

/**
 * Makes the target that looks ahead: the next items of a history, each with less weight than the one before.
 *
 * ```
 * q(i) = sum over j < n with i_{t+j} = i of decay^j, normalised
 * ```
 * The label is the item j = 0. At the end of a history fewer items are left; at the last one only the label.
 *
 * @param upcoming the items from the label on, oldest first.
 * @param options see `FutureTargetsOptions`.
 * @returns distinct items, the label first.
 * @throws IlrecError when there is no item, or an option is out of range.
 * @example
 * ```ts
 * import { futureTargets } from 'tfjs-ilrec';
 *
 * console.log(futureTargets([7, 3, 7], { decay: 0.5 })); // { items: [ 7, 3 ], shares: [ 0.7142857142857143, 0.2857142857142857 ] }
 * ```
 */
export function futureTargets(
  upcoming: ArrayLike<number>,
  { numItems = 5, decay = 0.5 }: FutureTargetsOptions = {},
): ItemShares {
  if (!(Number.isInteger(numItems) && numItems >= 1))
    throw new IlrecError(`futureTargets: numItems must be a positive integer, got ${numItems}`);
  if (!(decay > 0 && decay <= 1))
    throw new IlrecError(`futureTargets: decay must be above 0 and at most 1, got ${decay}`);
  if (upcoming.length === 0) throw new IlrecError('futureTargets: there must be at least one item, got none');
  const weights = new Map<number, number>();
  let total = 0;
  for (let j = 0, weight = 1; j < Math.min(numItems, upcoming.length); j++, weight *= decay) {
    weights.set(upcoming[j], (weights.get(upcoming[j]) ?? 0) + weight);
    total += weight;
  }
  return { items: [...weights.keys()], shares: Array.from(weights.values(), (weight) => weight / total) };
}
