/** A part of a user's history and the item that followed it. */
export interface HistoryWindow {
  history: number[];
  target: number;
}

/**
 * Chains the overlapping windows of one user back into one sequence.
 *
 * The next window is the first remaining one whose whole history is the end of the sequence, so windows may be out of
 * order. If there is none, the first remaining window is appended without its longest overlap with the end of the
 * sequence.
 *
 * @returns the sequence, and how many windows were appended without any overlap.
 */
export function chainWindows(windows: readonly HistoryWindow[]): { sequence: number[]; gaps: number } {
  const left = [...windows];
  // Only the start of the sequence makes a history shorter than the others.
  const shortest = left.reduce((best, { history }, i) => (history.length < left[best].history.length ? i : best), 0);
  const [first] = left.splice(shortest, 1);
  const sequence = [...first.history, first.target];
  let gaps = 0;
  while (left.length > 0) {
    const follows = left.findIndex(
      ({ history }) => history.length > 0 && overlap(sequence, history) === history.length,
    );
    const [{ history, target }] = left.splice(Math.max(0, follows), 1);
    if (follows >= 0) {
      sequence.push(target);
      continue;
    }
    const items = [...history, target];
    const shared = overlap(sequence, items); // all items, when a window occurs twice
    if (shared === 0) gaps++;
    sequence.push(...items.slice(shared));
  }
  return { sequence, gaps };
}

/**
 * Chains the windows of each user into one sequence, which leave-one-out splits later.
 *
 * @param published what the published split is like, for the note; null to say no more.
 */
export function chainedUsers(
  users: Iterable<readonly HistoryWindow[]>,
  published: string | null,
  notes: string[],
): { sequences: Int32Array[] } {
  const kind = published === null ? '' : `${published} `;
  notes.push(`Sequences are split leave-one-out, not by the published ${kind}split.`);
  let gaps = 0;
  const sequences = Array.from(users, (windows) => {
    const chain = chainWindows(windows);
    gaps += chain.gaps;
    return Int32Array.from(chain.sequence);
  });
  if (gaps > 0)
    notes.push(
      `${gaps} windows overlap with no other window of their user; they were appended in the order of the files.`,
    );
  return { sequences };
}

/**
 * Chains the windows of one user where the whole history of one is the end of what came before.
 *
 * @returns the sequences, in the order of their first windows.
 */
export function chainsOf(windows: readonly HistoryWindow[]): number[][] {
  const left = [...windows].sort((a, b) => a.history.length - b.history.length); // stable
  const chains: number[][] = [];
  while (left.length > 0) {
    const [{ history, target }] = left.splice(0, 1);
    const chain = [...history, target];
    for (let at = 0; at < left.length;) {
      const next = left[at];
      const follows = next.history.length > 0 && overlap(chain, next.history) === next.history.length;
      if (!follows) {
        at++;
        continue;
      }
      chain.push(next.target);
      left.splice(at, 1);
      at = 0; // it may continue now
    }
    chains.push(chain);
  }
  return chains;
}

/** Length of the longest end of `sequence` that `items` starts with. */
function overlap(sequence: readonly number[], items: readonly number[]): number {
  for (let length = Math.min(sequence.length, items.length); length > 0; length--) {
    let equal = true;
    for (let i = 0; i < length && equal; i++) equal = sequence[sequence.length - length + i] === items[i];
    if (equal) return length;
  }
  return 0;
}
