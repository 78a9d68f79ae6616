import { IlrecError } from '../errors';

/**
 * The token sequences of a catalogue as a trie in typed arrays. Nodes are numbered breadth first. Node 0 is the root,
 * the empty prefix. Edge e leads to node e + 1.
 */
export interface PrefixTrie {
  /** Nodes, the root among them. */
  readonly numNodes: number;
  /** N */
  readonly numItems: number;
  /** The edges of node n are childStart[n] to childStart[n + 1] (exclusive), [numNodes + 1]. */
  readonly childStart: Int32Array;
  /** The token of each edge, ascending within a node, [numNodes - 1]. */
  readonly childToken: Int32Array;
  /**
   * The items whose sequence starts with the prefix of node n are itemOrder[itemLow[n]] to itemOrder[itemHigh[n]]
   * (exclusive), [numNodes].
   */
  readonly itemLow: Int32Array;
  /** See `itemLow`, [numNodes]. */
  readonly itemHigh: Int32Array;
  /**
   * The items whose sequence ends at node n are itemOrder[itemLow[n]] to itemOrder[terminalHigh[n]] (exclusive),
   * [numNodes].
   */
  readonly terminalHigh: Int32Array;
  /** Item numbers sorted by token sequence, a prefix before its continuations, equal sequences by item number, [N]. */
  readonly itemOrder: Int32Array;
}

/**
 * Builds the trie of a catalogue. Sequences may differ in length, one may be a prefix of another, and several items may
 * share one.
 *
 * @param sequences the token ids of each item, [N] sequences of at least one token, such as `tokenizer.itemTokens`.
 * @returns the trie, for `constrainedBeamSearch` and `trieReward`.
 * @throws IlrecError when there is no item, a sequence is empty, or a token is not an integer in [0, 2^31).
 * @example
 * ```ts
 * import { buildPrefixTrie } from 'tfjs-ilrec';
 *
 * const trie = buildPrefixTrie([[3, 5], [3, 6], [4, 5]]);
 * console.log(trie.numItems, trie.numNodes); // 3 6
 * ```
 */
export function buildPrefixTrie(sequences: readonly ArrayLike<number>[]): PrefixTrie {
  const numItems = sequences.length;
  if (numItems === 0) throw new IlrecError('buildPrefixTrie: the catalogue must have at least one item, got 0');
  const flat = flatten(sequences);
  const itemOrder = sortedItems(flat);
  const { tokens, starts } = inOrder(flat, itemOrder); // so that the passes below read memory in order

  const maxNodes = 1 + tokens.length;
  const childStart = new Int32Array(maxNodes + 1);
  const childToken = new Int32Array(maxNodes - 1);
  const itemLow = new Int32Array(maxNodes);
  const itemHigh = new Int32Array(maxNodes);
  const terminalHigh = new Int32Array(maxNodes);
  itemHigh[0] = numItems;
  let numNodes = 1;
  for (let node = 0, levelEnd = 1, depth = 0; node < numNodes; node++) {
    if (node === levelEnd) [levelEnd, depth] = [numNodes, depth + 1];
    childStart[node] = numNodes - 1;
    const high = itemHigh[node];
    let position = itemLow[node];
    while (position < high && starts[position + 1] - starts[position] === depth) position++;
    terminalHigh[node] = position;
    while (position < high) {
      const token = tokens[starts[position] + depth];
      childToken[numNodes - 1] = token;
      itemLow[numNodes] = position;
      while (position < high && tokens[starts[position] + depth] === token) position++;
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

/**
 * Finds the node that a token leads to, by binary search over the node's edges.
 *
 * @param trie what `buildPrefixTrie` returned.
 * @param node a node; 0 is the root.
 * @param token token id.
 * @returns the child, or -1 if no item continues this way.
 * @example
 * ```ts
 * import { buildPrefixTrie, childOf } from 'tfjs-ilrec';
 *
 * const trie = buildPrefixTrie([[3, 5], [3, 6], [4, 5]]);
 * console.log(childOf(trie, 0, 4), childOf(trie, 0, 5)); // 2 -1
 * ```
 */
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

/**
 * Finds the node of a prefix.
 *
 * @param trie what `buildPrefixTrie` returned.
 * @param tokens token ids of the prefix; none for the root.
 * @returns the node, or -1 if no item starts with the prefix.
 * @example
 * ```ts
 * import { buildPrefixTrie, nodeOfPrefix } from 'tfjs-ilrec';
 *
 * const trie = buildPrefixTrie([[3, 5], [3, 6], [4, 5]]);
 * console.log(nodeOfPrefix(trie, []), nodeOfPrefix(trie, [3, 6]), nodeOfPrefix(trie, [4, 6])); // 0 4 -1
 * ```
 */
export function nodeOfPrefix(trie: PrefixTrie, tokens: ArrayLike<number>): number {
  let node = 0;
  for (let t = 0; t < tokens.length && node >= 0; t++) node = childOf(trie, node, tokens[t]);
  return node;
}

/**
 * Lists the items whose sequence ends at a node.
 *
 * @param trie what `buildPrefixTrie` returned.
 * @param node a node; 0 is the root.
 * @returns item numbers, ascending; empty if no item ends there. It shares memory with the trie.
 * @example
 * ```ts
 * import { buildPrefixTrie, itemsEndingAt, nodeOfPrefix } from 'tfjs-ilrec';
 *
 * const trie = buildPrefixTrie([[3, 5], [3], [3, 5]]);
 * console.log(itemsEndingAt(trie, nodeOfPrefix(trie, [3, 5]))); // Int32Array(2) [ 0, 2 ]
 * console.log(itemsEndingAt(trie, nodeOfPrefix(trie, [3]))); // Int32Array(1) [ 1 ]
 * ```
 */
export function itemsEndingAt(trie: PrefixTrie, node: number): Int32Array {
  return trie.itemOrder.subarray(trie.itemLow[node], trie.terminalHigh[node]);
}

/** The tokens of a node's prefix, [depth]. */
export function tokensOfNode({ childStart, childToken, numNodes }: PrefixTrie, node: number): Int32Array {
  const tokens: number[] = [];
  for (let at = node; at > 0;) {
    const edge = at - 1;
    tokens.push(childToken[edge]);
    let low = 0; // the parent is the last node whose edges begin at this one or before
    let high = numNodes;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (childStart[middle] <= edge) low = middle;
      else high = middle;
    }
    at = low;
  }
  return Int32Array.from(tokens.reverse());
}

/** All sequences in one array: the tokens of sequence i are tokens[starts[i]] to tokens[starts[i + 1]] (exclusive). */
interface FlatSequences {
  readonly tokens: Int32Array;
  readonly starts: Int32Array;
}

/** Puts all sequences into one array, and refuses what no trie can hold. */
function flatten(sequences: readonly ArrayLike<number>[]): FlatSequences {
  const starts = new Int32Array(sequences.length + 1);
  sequences.forEach(({ length }, item) => {
    if (length === 0) {
      throw new IlrecError(
        `buildPrefixTrie: an item's sequence must have at least one token, got none for item ${item}; give the ` +
          'item a semantic id',
      );
    }
    starts[item + 1] = starts[item] + length;
  });
  const tokens = new Int32Array(starts[sequences.length]);
  sequences.forEach((sequence, item) => {
    for (let t = 0; t < sequence.length; t++) {
      const token = sequence[t];
      if (!Number.isInteger(token) || token < 0 || token > 0x7fffffff) {
        throw new IlrecError(
          `buildPrefixTrie: a token must be an integer in [0, 2^31), got ${token} at index ${t} of item ${item}`,
        );
      }
      tokens[starts[item] + t] = token;
    }
  });
  return { tokens, starts };
}

/** The sequences of the items in the given order. */
function inOrder({ tokens, starts }: FlatSequences, order: Int32Array): FlatSequences {
  const ordered = { tokens: new Int32Array(tokens.length), starts: new Int32Array(starts.length) };
  for (let i = 0; i < order.length; i++) {
    let at = ordered.starts[i];
    for (let from = starts[order[i]]; from < starts[order[i] + 1]; from++) ordered.tokens[at++] = tokens[from];
    ordered.starts[i + 1] = at;
  }
  return ordered;
}

/** Bits of a key that one pass sorts by. 2^16 counts fit into a core's cache. */
const DIGIT_BITS = 16;
const DIGIT_MASK = 2 ** DIGIT_BITS - 1;

/** Item numbers sorted as `PrefixTrie.itemOrder`, by stable counting sorts from the last position to the first. */
function sortedItems({ tokens, starts }: FlatSequences): Int32Array {
  const numItems = starts.length - 1;
  const keys = new Uint32Array(numItems); // token + 1 at a position, 0 after the end of the sequence
  let longest = 0;
  for (let item = 0; item < numItems; item++) longest = Math.max(longest, starts[item + 1] - starts[item]);
  let [order, spare] = [Int32Array.from(keys.keys()), new Int32Array(numItems)];
  for (let depth = longest - 1; depth >= 0; depth--) {
    let largest = 0;
    for (let item = 0; item < numItems; item++) {
      const at = starts[item] + depth;
      keys[item] = at < starts[item + 1] ? tokens[at] + 1 : 0;
      if (keys[item] > largest) largest = keys[item];
    }
    for (let shift = 0; shift === 0 || (shift < 32 && largest >>> shift > 0); shift += DIGIT_BITS) {
      countingSort(keys, shift, Math.min(largest >>> shift, DIGIT_MASK), order, spare);
      [order, spare] = [spare, order];
    }
  }
  return order;
}

/** Sorts `order` by one digit of the items' keys; equal digits keep their order. */
function countingSort(
  keys: Uint32Array,
  shift: number,
  largestDigit: number,
  order: Int32Array,
  sorted: Int32Array,
): void {
  const places = new Int32Array(largestDigit + 2);
  for (let item = 0; item < keys.length; item++) places[((keys[item] >>> shift) & DIGIT_MASK) + 1]++;
  for (let digit = 0; digit < largestDigit; digit++) places[digit + 1] += places[digit];
  for (let i = 0; i < order.length; i++) sorted[places[(keys[order[i]] >>> shift) & DIGIT_MASK]++] = order[i];
}
