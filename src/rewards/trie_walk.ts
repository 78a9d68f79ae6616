import { childOf, type PrefixTrie } from '../generation/prefix_trie';
import type { RewardContext } from '../losses/reward';

/** The history that a prompt shows, oldest first; null where the prompt is none that asks for an item. */
export type PromptHistory = (prompt: Int32Array) => readonly number[] | null;

/** Where in the catalogue's trie each response position stands. */
export interface TrieWalk {
  /** Items known, oldest first: one history per row of the batch that has one, and one more after each separator. */
  readonly histories: readonly number[][];
  /** Which history each response position belongs to, [P]. */
  readonly rows: Int32Array;
  /** How many items of it come before the position, [P]. */
  readonly lengths: Int32Array;
  /** The node whose children the next token is chosen from, or -1 where the label goes on with no item, [P]. */
  readonly nodes: Int32Array;
}

/**
 * Reads each row's tokens through the trie. An item is complete when its last token is read and no longer item goes on from there; where one
 * could, the longest match wins. A token that continues nothing drops what was begun and is tried as the first token of an item.
 * Of items that share a sequence the lowest item number stands for all. The label decides between "the item is complete" and "a longer one goes on".
 *
 * @param separators tokens after which the row holds another user's items: the history starts anew.
 * @param historyOf where prompts are text: the history that a row begins with, from its tokens up to and with the first response position; these
 *   are then not read. Null leaves the row without nodes.
 */
export function walkTrie(
  trie: PrefixTrie,
  context: RewardContext,
  separators: ReadonlySet<number>,
  historyOf?: PromptHistory,
): TrieWalk {
  const { inputIds, labels, batchSize, sequenceLength, positions } = context;
  const rows = new Int32Array(positions.length);
  const lengths = new Int32Array(positions.length);
  const nodes = new Int32Array(positions.length);
  const histories: number[][] = [];
  let p = 0;
  for (let b = 0; b < batchSize; b++) {
    const start = b * sequenceLength;
    const end = start + sequenceLength;
    let history: number[] = [];
    let readFrom = start;
    if (historyOf !== undefined) {
      if (!(positions[p] < end)) continue; // no response in this row
      readFrom = positions[p] + 1;
      const known = historyOf(inputIds.subarray(start, readFrom));
      if (known === null) {
        for (; positions[p] < end; p++) nodes[p] = -1;
        continue;
      }
      history = [...known];
    }
    histories.push(history);
    let node = 0;
    for (let at = historyOf === undefined ? start : readFrom - 1; at < end; at++) {
      if (at >= readFrom) {
        const token = inputIds[at];
        let next = childOf(trie, node, token);
        if (next < 0) {
          if (endsAt(trie, node)) history.push(itemAt(trie, node));
          next = Math.max(0, childOf(trie, 0, token));
        }
        node = next;
        if (isLeaf(trie, node) && endsAt(trie, node)) {
          history.push(itemAt(trie, node));
          node = 0;
        }
        if (separators.has(token)) {
          node = 0;
          histories.push((history = []));
        }
      }
      if (positions[p] !== at) continue;
      const label = labels[at];
      const complete = endsAt(trie, node) && childOf(trie, node, label) < 0;
      if (complete) {
        history.push(itemAt(trie, node));
        node = 0;
      }
      rows[p] = histories.length - 1;
      lengths[p] = history.length;
      nodes[p] = childOf(trie, node, label) < 0 ? -1 : node;
      p++;
    }
  }
  return { histories, rows, lengths, nodes };
}

function endsAt(trie: PrefixTrie, node: number): boolean {
  return trie.terminalHigh[node] > trie.itemLow[node];
}

function isLeaf(trie: PrefixTrie, node: number): boolean {
  return trie.childStart[node] === trie.childStart[node + 1];
}

function itemAt(trie: PrefixTrie, node: number): number {
  return trie.itemOrder[trie.itemLow[node]];
}
