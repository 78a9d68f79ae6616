/** A stretch of a user's history and the item that followed it. */
export interface HistoryWindow {
  history: number[];
  target: number;
}

/**
 * Chains the overlapping windows of one user, in time order, back into one sequence.
 *
 * The next window is the first one left whose whole history the sequence ends with, so that windows out of order are put right; where there
 * is none, the first one left adds what it has beyond its longest overlap with the sequence's end.
 * @returns the sequence, and how many windows joined it without any overlap.
 */
export function chainWindows(windows: readonly HistoryWindow[]): { sequence: number[]; gaps: number } {
  const left = [...windows];
  // A history shorter than the others was cut by nothing but the sequence's start.
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
    const shared = overlap(sequence, items); // all of them where a window is there twice
    if (shared === 0) gaps++;
    sequence.push(...items.slice(shared));
  }
  return { sequence, gaps };
}

/** The length of the longest end of `sequence` that `items` starts with. */
function overlap(sequence: readonly number[], items: readonly number[]): number {
  for (let length = Math.min(sequence.length, items.length); length > 0; length--) {
    let equal = true;
    for (let i = 0; i < length && equal; i++) equal = sequence[sequence.length - length + i] === items[i];
    if (equal) return length;
  }
  return 0;
}
