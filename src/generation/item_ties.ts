/**
 * Orders items that share one token sequence, which the model cannot tell apart.
 *
 * @param items item numbers, ascending.
 * @returns the same items, best first.
 */
export type TieRule = (items: Int32Array) => ArrayLike<number>;

/**
 * Ranks items that share a token sequence by item number, the lower first.
 *
 * @param items item numbers, ascending.
 * @returns the same items.
 * @example
 * ```ts
 * import { itemNumberTies } from 'tfjs-ilrec';
 *
 * console.log(itemNumberTies(Int32Array.of(2, 7))); // Int32Array(2) [ 2, 7 ]
 * ```
 */
export const itemNumberTies: TieRule = (items) => items;

/**
 * Makes a rule that ranks items that share a token sequence by their counts, the higher first, then by item number.
 *
 * @param counts training interactions of each item, [N]; `countItems` makes them.
 * @returns a rule for `constrainedBeamSearch({ rankTies })`.
 * @example
 * ```ts
 * import { popularityTies } from 'tfjs-ilrec';
 *
 * const rankTies = popularityTies([5, 0, 3, 5]);
 * console.log(rankTies(Int32Array.of(0, 2, 3))); // Int32Array(3) [ 0, 3, 2 ]
 * ```
 */
export function popularityTies(counts: ArrayLike<number>): TieRule {
  return (items) => Int32Array.from(items).sort((a, b) => counts[b] - counts[a] || a - b);
}

/**
 * Counts how often each item occurs in the histories.
 *
 * @param histories item numbers, [users]; a number outside [0, N) is not counted.
 * @param numItems N, items in the catalogue.
 * @returns counts, [N].
 * @example
 * ```ts
 * import { countItems } from 'tfjs-ilrec';
 *
 * console.log(countItems([[0, 2], [2, 2, 1]], 4)); // Int32Array(4) [ 1, 1, 3, 0 ]
 * ```
 */
export function countItems(histories: readonly ArrayLike<number>[], numItems: number): Int32Array {
  const counts = new Int32Array(numItems);
  for (const history of histories) {
    for (let i = 0; i < history.length; i++) counts[history[i]]++;
  }
  return counts;
}
