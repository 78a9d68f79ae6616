import { IlrecError } from '../errors';
import { MIN_SEQUENCE_LENGTH } from './leave_one_out';
import type { InteractionData } from './types';

/** What a filter removed. */
export interface Dropped {
  users: number;
  items: number;
  interactions: number;
}

/**
 * Keeps users with at least max(k, 3) interactions and items with at least k, and repeats that until nothing changes.
 *
 * Repeated interactions all count. k = 0 keeps every item, also those without interactions, and drops only users that
 * leave-one-out cannot split. A published split is not filtered.
 *
 * @param k an integer of 0 or more.
 * @returns the data, users and items renumbered in the same order, and what was dropped.
 * @throws IlrecError when nothing is left; the message names the largest k that leaves something.
 */
export function kCoreFilter(data: InteractionData, k: number): { data: InteractionData; dropped: Dropped } {
  if (data.cases !== undefined) {
    if (k > 0)
      throw new IlrecError(
        'prepareInteractions: kCore must be left out for a published split, whose rows need every item, got ' +
          `${k}; only leave-one-out can be filtered`,
      );
    return { data, dropped: { users: 0, items: 0, interactions: 0 } };
  }
  const core = findCore(data, k);
  if (core.numUsers === 0) throw new IlrecError(`prepareInteractions: ${emptyMessage(data, k)}`);

  if (core.numUsers === data.sequences.length && !core.itemKept.includes(0))
    return { data, dropped: { users: 0, items: 0, interactions: 0 } };
  const newNumber = new Int32Array(data.itemIds.length).fill(-1);
  let numItems = 0;
  for (let item = 0; item < newNumber.length; item++) if (core.itemKept[item]) newNumber[item] = numItems++;
  const ofItems = <E>(list: readonly E[]): E[] => list.filter((_, item) => core.itemKept[item]);
  const before = data.sequences.reduce((sum, sequence) => sum + sequence.length, 0);
  const all = new Int32Array(before); // item numbers of all users, which the sequences are parts of
  let after = 0;
  const userIds: string[] = [];
  const sequences: Int32Array[] = [];
  data.sequences.forEach((sequence, user) => {
    if (!core.userKept[user]) return;
    const start = after;
    for (const item of sequence) if (core.itemKept[item]) all[after++] = newNumber[item];
    userIds.push(data.userIds[user]);
    sequences.push(all.subarray(start, after));
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

/** The rule that was broken, and the largest k that leaves something. */
function emptyMessage(data: InteractionData, k: number): string {
  const longest = data.sequences.reduce((most, sequence) => Math.max(most, sequence.length), 0);
  if (longest < MIN_SEQUENCE_LENGTH) {
    return `${data.name} must have a user with ${MIN_SEQUENCE_LENGTH} interactions or more, got ${longest} at most; leave-one-out needs one for training, one for validation and one for test`;
  }
  let low = 0; // low leaves something; no k above high does
  let high = k - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (findCore(data, middle).numUsers > 0) low = middle;
    else high = middle - 1;
  }
  return `kCore must leave some users and items of ${data.name}, got ${k}, which leaves none; use ${low} at most`;
}
