import type { PrefixTrie } from '../generation/prefix_trie';

/** Where each item stands in `itemOrder`, [N]. */
export function placesOf({ numItems, itemOrder }: PrefixTrie): Int32Array {
  const places = new Int32Array(numItems);
  itemOrder.forEach((item, place) => (places[item] = place));
  return places;
}

/** The edge of a node that leads to the item at a place of `itemOrder`; -1 if none does. */
export function edgeTowards(
  { childStart, itemLow, itemHigh, terminalHigh }: PrefixTrie,
  node: number,
  place: number,
): number {
  if (place < terminalHigh[node] || place >= itemHigh[node]) return -1;
  let low = childStart[node];
  let high = childStart[node + 1] - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (itemHigh[middle + 1] <= place) low = middle + 1;
    else high = middle;
  }
  return itemLow[low + 1] <= place ? low : -1;
}
