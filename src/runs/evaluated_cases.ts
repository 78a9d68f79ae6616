import { splitData } from '../data/split_data';
import type { PreparedData } from '../data/types';

/** What is known of the evaluated users, in the order of the ranks. */
export interface EvaluatedCases {
  /** The user of each case, where users have several; see `BootstrapOptions`. */
  readonly clusters?: ArrayLike<number>;
  readonly historyLengths: ArrayLike<number>;
  /** Training interactions of each target. */
  readonly targetCounts: ArrayLike<number>;
  /** Training interactions of each item of the catalogue. */
  readonly itemCounts: ArrayLike<number>;
}

/** What slices and clusters need to know of the evaluated users. */
export function casesOf(prepared: PreparedData, split: 'test' | 'valid', evaluated: ArrayLike<number>): EvaluatedCases {
  const { train, [split]: cases } = splitData(prepared);
  const { histories, targets, users } = cases;
  const itemCounts = new Int32Array(prepared.itemIds.length);
  for (const sequence of train) for (const item of sequence) itemCounts[item]++;
  const ofUsers = (value: (user: number) => number): Int32Array => Int32Array.from(evaluated, value);
  return {
    clusters: users && ofUsers((user) => users[user]),
    historyLengths: ofUsers((user) => histories[user].length),
    targetCounts: ofUsers((user) => itemCounts[targets[user]]),
    itemCounts,
  };
}
