import type { PrefixTrie } from '../generation/prefix_trie';
import type { TrieWalk } from './trie_walk';

/** Nodes with item ranges of similar size, padded to one width. */
export interface RangeBucket {
  readonly width: number;
  /** Flat indices into the scores [R * N], [G * width]. The rest of the width repeats the last item of the range. */
  readonly indices: Int32Array;
  /** Of each child: where its items start in the bucket's exclusive sums [G * width]. */
  readonly starts: Int32Array;
  /** Where the child's items end. */
  readonly ends: Int32Array;
  /** Where the items of its node end. */
  readonly totals: Int32Array;
}

/** Which scores are summed for the children of each response position's node, and where the sums go. */
export interface SumPlan {
  /** The history of each row of scores, [R]. Rows for positions at the root come first. */
  readonly scoreRows: Int32Array;
  /** How many items of that history are known, [R]. */
  readonly scoreLengths: Int32Array;
  /** Rows for positions at the root. */
  readonly numRootRows: number;
  /** Flat indices into the root's masses [numRootRows * C], one per child of each position at the root. */
  readonly rootEntries: Int32Array;
  readonly buckets: readonly RangeBucket[];
  /** Positions with one child, whose mass is always 1. */
  readonly numCertain: number;
  /**
   * Position and token of each mass, [K, 2]: first those at the root, then the buckets in order, then the certain ones.
   */
  readonly targets: Int32Array;
}

/** Sorts the response positions into those at the root, those at other nodes, by size, and those with one child. */
export function planSums(trie: PrefixTrie, { rows, lengths, nodes }: TrieWalk): SumPlan {
  const { childStart, childToken, terminalHigh, itemHigh } = trie;
  const numChildren = (node: number): number => childStart[node + 1] - childStart[node];
  const atRoot: number[] = [];
  const certain: number[] = [];
  const byWidth = new Map<number, number[]>();
  nodes.forEach((node, p) => {
    if (node < 0) return;
    if (numChildren(node) === 1) certain.push(p);
    else if (node === 0) atRoot.push(p);
    else {
      // one more than the range, for its total
      const width = 2 ** Math.ceil(Math.log2(itemHigh[node] - terminalHigh[node] + 1));
      const positions = byWidth.get(width);
      if (positions === undefined) byWidth.set(width, [p]);
      else positions.push(p);
    }
  });

  const scoreRows: number[] = [];
  const scoreLengths: number[] = [];
  const known = new Map<number, number>();
  const maxLength = lengths.reduce((max, length) => Math.max(max, length), 0) + 1;
  const scoreRowOf = (p: number): number => {
    const key = rows[p] * maxLength + lengths[p];
    let row = known.get(key);
    if (row === undefined) {
      known.set(key, (row = scoreRows.length));
      scoreRows.push(rows[p]);
      scoreLengths.push(lengths[p]);
    }
    return row;
  };

  const rootEntries = new Int32Array(atRoot.length * numChildren(0));
  atRoot.forEach((p, i) => {
    const first = scoreRowOf(p) * numChildren(0);
    for (let child = 0; child < numChildren(0); child++) rootEntries[i * numChildren(0) + child] = first + child;
  });
  const numRootRows = scoreRows.length;
  const groups = [...byWidth].map(([width, positions]) => ({ width, positions }));
  const buckets = groups.map(({ width, positions }) =>
    rangeBucket(trie, nodes, width, positions, Int32Array.from(positions, scoreRowOf)),
  );

  const ordered = [...atRoot, ...groups.flatMap(({ positions }) => positions), ...certain];
  const targets = new Int32Array(2 * ordered.reduce((sum, p) => sum + numChildren(nodes[p]), 0));
  let t = 0;
  for (const p of ordered) {
    for (let edge = childStart[nodes[p]]; edge < childStart[nodes[p] + 1]; edge++) {
      targets[t++] = p;
      targets[t++] = childToken[edge];
    }
  }
  return {
    scoreRows: new Int32Array(scoreRows),
    scoreLengths: new Int32Array(scoreLengths),
    numRootRows,
    rootEntries,
    buckets,
    numCertain: certain.length,
    targets,
  };
}

function rangeBucket(
  trie: PrefixTrie,
  nodes: Int32Array,
  width: number,
  positions: readonly number[],
  scoreRows: Int32Array,
): RangeBucket {
  const { childStart, itemLow, itemHigh, terminalHigh, itemOrder, numItems } = trie;
  const numEntries = positions.reduce((sum, p) => sum + childStart[nodes[p] + 1] - childStart[nodes[p]], 0);
  const indices = new Int32Array(positions.length * width);
  const starts = new Int32Array(numEntries);
  const ends = new Int32Array(numEntries);
  const totals = new Int32Array(numEntries);
  let entry = 0;
  positions.forEach((p, g) => {
    const node = nodes[p];
    const low = terminalHigh[node]; // items that end at the node have no next token
    const size = itemHigh[node] - low;
    const offset = scoreRows[g] * numItems;
    for (let i = 0; i < width; i++) indices[g * width + i] = offset + itemOrder[low + Math.min(i, size - 1)];
    for (let edge = childStart[node]; edge < childStart[node + 1]; edge++, entry++) {
      starts[entry] = g * width + itemLow[edge + 1] - low;
      ends[entry] = g * width + itemHigh[edge + 1] - low;
      totals[entry] = g * width + size;
    }
  });
  return { width, indices, starts, ends, totals };
}
