import { childOf, type PrefixTrie } from '../generation/prefix_trie';
import type { RewardContext } from '../losses/reward';

/**
 * Reads the history that a prompt shows.
 *
 * @param prompt token ids up to and including the first response position.
 * @returns item numbers, oldest first; null if the prompt does not ask for an item.
 */
export type PromptHistory = (prompt: Int32Array) => readonly number[] | null;

/** The token ids and labels of a batch. */
export type TokenContext = Omit<RewardContext, 'vocabSize'>;

/** The trie node and the history of each response position. */
export interface TrieWalk {
  /** Item numbers, oldest first: one history per row of the batch that has one, and one more after each separator. */
  readonly histories: readonly number[][];
  /** The history of each response position, [P]. */
  readonly rows: Int32Array;
  /** How many items of that history come before the position, [P]. */
  readonly lengths: Int32Array;
  /** The node whose children are the possible next tokens, or -1 if the label does not continue an item, [P]. */
  readonly nodes: Int32Array;
}

/**
 * Reads the tokens of each row through the trie.
 *
 * The longest match wins: an item is complete when its last token was read and no longer item continues. At a response
 * position the label decides whether the item is complete or a longer one continues. A token that continues nothing
 * discards the started item and is tried as the first token of another. Of items that share a sequence, the lowest item
 * number stands for all.
 *
 * @param separators tokens after which the row holds another user's items, so a new history starts.
 * @param historyOf for text prompts: reads the history from the tokens up to and including the first response position,
 *   which are then not read through the trie. If it returns null, the row has no nodes.
 */
export function walkTrie(
  trie: PrefixTrie,
  context: TokenContext,
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
