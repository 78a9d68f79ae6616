/**
 * Orders the items behind one token sequence, which the model cannot tell apart.
 * @param items item numbers, ascending. @returns the same items, best first.
 */
export type TieRule = (items: Int32Array) => ArrayLike<number>;

/** The lower item number first. */
export const itemNumberTies: TieRule = (items) => items;

/** The item with more training interactions first, then the lower item number. @param counts interactions of each item, [N]. */
export function popularityTies(counts: ArrayLike<number>): TieRule {
  return (items) => Int32Array.from(items).sort((a, b) => counts[b] - counts[a] || a - b);
}

/** How often each item occurs in the histories, [N]; an item number outside [0, N) is not counted. */
export function countItems(histories: readonly ArrayLike<number>[], numItems: number): Int32Array {
  const counts = new Int32Array(numItems);
  for (const history of histories) {
    for (let i = 0; i < history.length; i++) counts[history[i]]++;
  }
  return counts;
}
