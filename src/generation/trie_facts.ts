import type { PrefixTrie } from './prefix_trie';

/** The largest token id of any item. */
export const largestToken = oncePerTrie(({ childToken }) => {
  let largest = 0;
  for (let edge = 0; edge < childToken.length; edge++) if (childToken[edge] > largest) largest = childToken[edge];
  return largest;
});

/** The nodes at one depth. */
export interface TrieLevel {
  /** How many have children. */
  readonly numOpen: number;
  /** Whether a sequence ends at one of them. */
  readonly someEnd: boolean;
}

/** The levels of a trie, from the root's on. */
export const levelsOf = oncePerTrie(({ childStart, itemLow, terminalHigh }) => {
  const levels: TrieLevel[] = [];
  for (let start = 0, end = 1; start < end; [start, end] = [childStart[start] + 1, childStart[end] + 1]) {
    let numOpen = 0;
    let someEnd = false;
    for (let node = start; node < end; node++) {
      if (childStart[node + 1] > childStart[node]) numOpen++;
      someEnd ||= terminalHigh[node] > itemLow[node];
    }
    levels.push({ numOpen, someEnd });
  }
  return levels;
});

/** The position of each item in the trie's item order, [N]. */
export const itemPositions = oncePerTrie(({ itemOrder, numItems }) => {
  const positions = new Int32Array(numItems);
  for (let position = 0; position < numItems; position++) positions[itemOrder[position]] = position;
  return positions;
});

/**
 * Each fact takes a pass over the catalogue. It is computed in the first search of a trie and kept in a WeakMap for as
 * long as the trie exists.
 */
function oncePerTrie<T>(compute: (trie: PrefixTrie) => T): (trie: PrefixTrie) => T {
  const known = new WeakMap<PrefixTrie, T>();
  return (trie) => {
    if (!known.has(trie)) known.set(trie, compute(trie));
    return known.get(trie) as T;
  };
}
