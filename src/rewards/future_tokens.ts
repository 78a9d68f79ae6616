import { childOf, type PrefixTrie } from '../generation/prefix_trie';
import { futureTargets, type FutureTargetsOptions, type ItemShares } from '../losses/future_targets';
import { edgeTowards, placesOf } from './trie_places';
import { type PromptHistory, type TokenContext, type TrieWalk, walkTrie } from './trie_walk';

/** How the next items are found where an item takes several tokens. */
export interface FutureTokensOptions extends FutureTargetsOptions {
  /** The items' token sequences: `buildPrefixTrie` makes it. */
  trie: PrefixTrie;
  /** Tokens after which a row holds another user's items. Default none. */
  separators?: readonly number[];
  /** For text prompts, which show one label each: reads the history. Needs `sequences`. */
  historyOf?: PromptHistory;
  /** For text prompts: the histories that the prompts were made of, item numbers, oldest first. */
  sequences?: readonly ArrayLike<number>[];
  /** For text prompts: how many items a prompt shows at most. Default all. */
  maxHistory?: number;
}

/** The mass of tokens that may come next, entry by entry. */
export interface FutureTokens {
  /** Indices into the response positions, [K]. */
  readonly rows: Int32Array;
  /** [K] */
  readonly tokens: Int32Array;
  /** Those of a position sum to 1, [K]. */
  readonly masses: Float32Array;
}

/** Reads the next tokens of a batch. */
export type FutureTokensReader = (context: TokenContext) => FutureTokens;

/**
 * Makes the next items targets of each token, on the way to the label.
 *
 * ```
 * c(v | prefix) = sum of q(i) over items i that go on with prefix + v / sum over items that go on with prefix
 * ```
 * with q of `futureTargets`. The label has it all where no other next item shares the prefix, and where it continues no
 * item.
 */
export function futureTokens(options: FutureTokensOptions): FutureTokensReader {
  const { trie, separators = [], historyOf, sequences } = options;
  const separatorSet = new Set(separators);
  const placeOf = placesOf(trie);
  const known = historyOf === undefined || sequences === undefined ? null : futuresOf(sequences, options);
  return (context) => {
    const { positions, labels } = context;
    const walk = walkTrie(trie, context, separatorSet, historyOf);
    const items = itemsOfLabels(trie, context, walk);
    const sharesAt =
      known === null
        ? futuresInRows(walk, items, options)
        : (p: number) => known.get(keyOf(historyAt(walk, p), items[p]));
    const rows: number[] = [];
    const tokens: number[] = [];
    const masses: number[] = [];
    positions.forEach((position, p) => {
      const shares = items[p] < 0 ? undefined : sharesAt(p);
      const children = shares === undefined ? null : massesOfChildren(trie, walk.nodes[p], shares, placeOf);
      for (const [token, mass] of children ?? [[labels[position], 1]]) {
        rows.push(p);
        tokens.push(token);
        masses.push(mass);
      }
    });
    return { rows: Int32Array.from(rows), tokens: Int32Array.from(tokens), masses: Float32Array.from(masses) };
  };
}

/** The shares of a node's children, of those items that lie below it; null where none does. */
function massesOfChildren(
  trie: PrefixTrie,
  node: number,
  { items, shares }: ItemShares,
  placeOf: Int32Array,
): Map<number, number> | null {
  const masses = new Map<number, number>();
  let total = 0;
  items.forEach((item, i) => {
    const edge = edgeTowards(trie, node, placeOf[item]);
    if (edge < 0) return;
    const token = trie.childToken[edge];
    masses.set(token, (masses.get(token) ?? 0) + shares[i]);
    total += shares[i];
  });
  if (total === 0) return null;
  for (const [token, mass] of masses) masses.set(token, mass / total);
  return masses;
}

/** What comes after a history and its label, by both. */
type Futures = ReadonlyMap<string, ItemShares>;

/** Collects what comes after each history; where several users have the same one, their mean. */
function futuresOf(
  sequences: readonly ArrayLike<number>[],
  { maxHistory = Infinity, ...options }: FutureTargetsOptions & { maxHistory?: number },
): Futures {
  const found = new Map<string, ItemShares>();
  const times = new Map<string, number>();
  for (const sequence of sequences) {
    const items = Array.from(sequence);
    items.forEach((label, at) => {
      const key = keyOf(items.slice(Math.max(0, at - maxHistory), at), label);
      const shares = futureTargets(items.slice(at), options);
      const count = times.get(key) ?? 0;
      times.set(key, count + 1);
      found.set(key, count === 0 ? shares : meanOf(found.get(key) as ItemShares, count, shares));
    });
  }
  return found;
}

function keyOf(history: readonly number[], label: number): string {
  return `${history.join(' ')}>${label}`;
}

function meanOf(mean: ItemShares, count: number, next: ItemShares): ItemShares {
  const shares = new Map(mean.items.map((item, i) => [item, (mean.shares[i] * count) / (count + 1)]));
  next.items.forEach((item, i) => shares.set(item, (shares.get(item) ?? 0) + next.shares[i] / (count + 1)));
  return { items: [...shares.keys()], shares: [...shares.values()] };
}

/** The history of a response position. */
function historyAt({ histories, rows, lengths }: TrieWalk, p: number): readonly number[] {
  return histories[rows[p]].slice(0, lengths[p]);
}

/** The next items at each response position of rows that show them. */
function futuresInRows(
  { histories, rows, lengths }: TrieWalk,
  items: Int32Array,
  options: FutureTargetsOptions,
): (p: number) => ItemShares {
  const whole = histories.map((history) => [...history]);
  items.forEach((item, p) => {
    if (item >= 0) whole[rows[p]][lengths[p]] = item; // the last item of a row is in the labels alone
  });
  return (p) => futureTargets(whole[rows[p]].slice(lengths[p]), options);
}

/** The item that the labels from each response position on complete, -1 where they complete none, [P]. */
function itemsOfLabels(trie: PrefixTrie, { positions, labels }: TokenContext, { rows, nodes }: TrieWalk): Int32Array {
  const items = new Int32Array(positions.length).fill(-1);
  for (let p = positions.length - 1; p >= 0; p--) {
    if (nodes[p] < 0) continue;
    const next = childOf(trie, nodes[p], labels[positions[p]]);
    const goesOn = p + 1 < positions.length && rows[p + 1] === rows[p] && nodes[p + 1] === next;
    if (goesOn) items[p] = items[p + 1];
    else if (trie.terminalHigh[next] > trie.itemLow[next]) items[p] = trie.itemOrder[trie.itemLow[next]];
  }
  return items;
}
