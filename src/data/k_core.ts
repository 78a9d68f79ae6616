import { IlrecError } from '../errors';
import { MIN_SEQUENCE_LENGTH } from './leave_one_out';
import type { InteractionData } from './types';

/** What a filter took away. */
export interface Dropped {
  users: number;
  items: number;
  interactions: number;
}

/**
 * Keeps the users with max(k, 3) interactions or more and the items with k or more, again and again until nothing changes any more.
 *
 * Repeated interactions count each time. k = 0 leaves the catalogue whole, items without interactions included, and drops only the users
 * that leave-one-out cannot split; a published split stays whole.
 * @param k an integer, 0 or more.
 * @returns the data with users and items renumbered in their old order, and what was dropped.
 * @throws IlrecError when nothing is left; it names the largest k that leaves something.
 */
export function kCoreFilter(data: InteractionData, k: number): { data: InteractionData; dropped: Dropped } {
  if (!Number.isInteger(k) || k < 0)
    throw new IlrecError(`kCoreFilter: kCore must be an integer, 0 or more, got ${k}; leave it out for no filter`);
  if (data.cases !== undefined) {
    if (k > 0)
      throw new IlrecError(
        `kCoreFilter: kCore must be left out with a published split, whose rows name every item, got ${k}; use leave-one-out instead`,
      );
    return { data, dropped: { users: 0, items: 0, interactions: 0 } };
  }
  const core = findCore(data, k);
  if (core.numUsers === 0) throw new IlrecError(emptyMessage(data, k));

  const newNumber = new Int32Array(data.itemIds.length).fill(-1);
  let numItems = 0;
  for (let item = 0; item < newNumber.length; item++) if (core.itemKept[item]) newNumber[item] = numItems++;
  const ofItems = <E>(list: readonly E[]): E[] => list.filter((_, item) => core.itemKept[item]);
  const userIds: string[] = [];
  const sequences: Int32Array[] = [];
  let before = 0;
  let after = 0;
  data.sequences.forEach((sequence, user) => {
    before += sequence.length;
    if (!core.userKept[user]) return;
    const kept = sequence.filter((item) => core.itemKept[item]).map((item) => newNumber[item]);
    after += kept.length;
    userIds.push(data.userIds[user]);
    sequences.push(kept);
  });
  return {
    data: {
      ...data,
      userIds,
      sequences,
      itemIds: ofItems(data.itemIds),
      ...(data.titles && { titles: ofItems(data.titles) }),
      ...(data.semanticIds && { semanticIds: ofItems(data.semanticIds) }),
    },
    dropped: {
      users: data.userIds.length - userIds.length,
      items: data.itemIds.length - numItems,
      interactions: before - after,
    },
  };
}

interface Core {
  userKept: Uint8Array;
  itemKept: Uint8Array;
  numUsers: number;
}

function findCore({ sequences, itemIds }: InteractionData, k: number): Core {
  const userKept = new Uint8Array(sequences.length).fill(1);
  const itemKept = new Uint8Array(itemIds.length).fill(1);
  const minOfUser = Math.max(k, MIN_SEQUENCE_LENGTH);
  let numUsers = sequences.length;
  for (let changed = true; changed;) {
    changed = false;
    const itemCounts = new Int32Array(itemIds.length);
    for (let user = 0; user < sequences.length; user++) {
      if (!userKept[user]) continue;
      let count = 0;
      for (const item of sequences[user]) count += itemKept[item];
      if (count < minOfUser) {
        userKept[user] = 0;
        numUsers--;
        changed = true;
      } else for (const item of sequences[user]) itemCounts[item]++;
    }
    for (let item = 0; item < itemKept.length; item++) {
      if (itemKept[item] && itemCounts[item] < k) {
        itemKept[item] = 0;
        changed = true;
      }
    }
  }
  return { userKept, itemKept, numUsers };
}

function emptyMessage(data: InteractionData, k: number): string {
  const longest = data.sequences.reduce((most, sequence) => Math.max(most, sequence.length), 0);
  if (longest < MIN_SEQUENCE_LENGTH) {
    return `kCoreFilter: ${data.name} must have a user with ${MIN_SEQUENCE_LENGTH} interactions or more, got ${longest} at most; leave-one-out needs one to start from, one for validation and one for test`;
  }
  let low = 0; // the largest k known to leave something; any k up to `high` may
  let high = k - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (findCore(data, middle).numUsers > 0) low = middle;
    else high = middle - 1;
  }
  return `kCoreFilter: kCore must leave some users and items of ${data.name}, got ${k}, which leaves none; use ${low} at most`;
}
