import type { PrefixTrie } from './prefix_trie';
import { itemPositions } from './trie_facts';

/**
 * Items that a user must not get, as positions in the trie's item order, so that two binary searches test a whole
 * subtree.
 */
export class ExcludedItems {
  private constructor(
    private readonly items: ReadonlySet<number>,
    private readonly positions: Int32Array,
  ) {}

  /** One per user; null for a user without excluded items. */
  static ofUsers(
    trie: PrefixTrie,
    exclude: readonly (ReadonlySet<number> | null | undefined)[],
  ): (ExcludedItems | null)[] {
    const positionOf = itemPositions(trie);
    return exclude.map((items) => {
      if (!items || items.size === 0) return null;
      const known = [...items].filter((item) => Number.isInteger(item) && item >= 0 && item < trie.numItems);
      return new ExcludedItems(items, Int32Array.from(known, (item) => positionOf[item]).sort());
    });
  }

  has(item: number): boolean {
    return this.items.has(item);
  }

  /** Whether all items at positions low to high (exclusive) of the item order are excluded. */
  covers(low: number, high: number): boolean {
    const wanted = high - low;
    return wanted <= this.positions.length && this.countBelow(high) - this.countBelow(low) === wanted;
  }

  private countBelow(position: number): number {
    let low = 0;
    let high = this.positions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.positions[middle] < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
