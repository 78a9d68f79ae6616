import { IlrecError } from '../errors';

/**
 * The catalogue's token sequences as a trie in typed arrays. Nodes are numbered breadth first, node 0 is the root (the empty prefix), and edge e leads
 * to node e + 1: an edge and the node below it are one number apart.
 */
export interface PrefixTrie {
  readonly numNodes: number;
  readonly numItems: number;
  /** The edges of node n are childStart[n] to childStart[n + 1] (exclusive), [numNodes + 1]. */
  readonly childStart: Int32Array;
  /** The token of each edge, ascending within a node, [numNodes - 1]. */
  readonly childToken: Int32Array;
  /** The items whose sequence starts with node n's prefix are itemOrder[itemLow[n]] to itemOrder[itemHigh[n]] (exclusive), [numNodes]. */
  readonly itemLow: Int32Array;
  readonly itemHigh: Int32Array;
  /** The items whose sequence ends at node n are itemOrder[itemLow[n]] to itemOrder[terminalHigh[n]] (exclusive), [numNodes]. */
  readonly terminalHigh: Int32Array;
  /** Item numbers sorted by token sequence, a prefix before what continues it, ties by item number, [N]. */
  readonly itemOrder: Int32Array;
}

/**
 * Builds the trie of all items. Sequences may differ in length, may be prefixes of one another, and several items may share one.
 *
 * @param sequences the token ids of each item, [N] sequences of at least one token.
 * @throws IlrecError when there is no item, a sequence is empty, or a token is not an integer in [0, 2^31).
 */
export function buildPrefixTrie(sequences: readonly ArrayLike<number>[]): PrefixTrie {
  const numItems = sequences.length;
  if (numItems === 0) throw new IlrecError('buildPrefixTrie: the catalogue must hold at least one item, got 0');
  const maxNodes = 1 + checkSequences(sequences);
  const itemOrder = Int32Array.from(sequences.keys()).sort((a, b) => compareSequences(sequences[a], sequences[b]) || a - b);

  const childStart = new Int32Array(maxNodes + 1);
  const childToken = new Int32Array(maxNodes - 1);
  const itemLow = new Int32Array(maxNodes);
  const itemHigh = new Int32Array(maxNodes);
  const terminalHigh = new Int32Array(maxNodes);
  const depth = new Int32Array(maxNodes);
  itemHigh[0] = numItems;
  let numNodes = 1;
  for (let node = 0; node < numNodes; node++) {
    childStart[node] = numNodes - 1;
    const high = itemHigh[node];
    let position = itemLow[node];
    while (position < high && sequences[itemOrder[position]].length === depth[node]) position++;
    terminalHigh[node] = position;
    while (position < high) {
      const token = sequences[itemOrder[position]][depth[node]];
      childToken[numNodes - 1] = token;
      itemLow[numNodes] = position;
      depth[numNodes] = depth[node] + 1;
      while (position < high && sequences[itemOrder[position]][depth[node]] === token) position++;
      itemHigh[numNodes] = position;
      numNodes++;
    }
  }
  childStart[numNodes] = numNodes - 1;
  return {
    numNodes,
    numItems,
    childStart: childStart.slice(0, numNodes + 1),
    childToken: childToken.slice(0, numNodes - 1),
    itemLow: itemLow.slice(0, numNodes),
    itemHigh: itemHigh.slice(0, numNodes),
    terminalHigh: terminalHigh.slice(0, numNodes),
    itemOrder,
  };
}

/** The node that `token` leads to from `node`, or -1 when no item continues so (binary search over the node's edges). */
export function childOf(trie: PrefixTrie, node: number, token: number): number {
  const { childStart, childToken } = trie;
  let low = childStart[node];
  let high = childStart[node + 1];
  const end = high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (childToken[middle] < token) low = middle + 1;
    else high = middle;
  }
  return low < end && childToken[low] === token ? low + 1 : -1;
}

/** The node of a whole prefix, or -1 when no item starts with it; the empty prefix is the root. */
export function nodeOfPrefix(trie: PrefixTrie, tokens: ArrayLike<number>): number {
  let node = 0;
  for (let t = 0; t < tokens.length && node >= 0; t++) node = childOf(trie, node, tokens[t]);
  return node;
}

/** The items whose whole sequence ends at `node`, ascending item numbers; empty where no item ends. */
export function itemsEndingAt(trie: PrefixTrie, node: number): Int32Array {
  return trie.itemOrder.subarray(trie.itemLow[node], trie.terminalHigh[node]);
}

/** Refuses what no trie can hold; returns the number of tokens of all sequences together. */
function checkSequences(sequences: readonly ArrayLike<number>[]): number {
  let total = 0;
  sequences.forEach((sequence, item) => {
    if (sequence.length === 0) {
      throw new IlrecError(`buildPrefixTrie: an item's sequence must have at least one token, got none for item ${item}; give the item a semantic id`);
    }
    for (let t = 0; t < sequence.length; t++) {
      const token = sequence[t];
      if (!Number.isInteger(token) || token < 0 || token > 0x7fffffff) {
        throw new IlrecError(`buildPrefixTrie: a token must be an integer in [0, 2^31), got ${token} at position ${t} of item ${item}`);
      }
    }
    total += sequence.length;
  });
  return total;
}

/** Negative, zero or positive as for Array.sort: token by token, a prefix first. */
function compareSequences(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const shared = Math.min(a.length, b.length);
  for (let t = 0; t < shared; t++) {
    if (a[t] !== b[t]) return a[t] - b[t];
  }
  return a.length - b.length;
}
