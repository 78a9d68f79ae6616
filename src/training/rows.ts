/** A stretch of one sequence that becomes one training row. */
export interface Row {
  /** Index of the sequence. */
  readonly sequence: number;
  /** Items from `start` to `end` (exclusive) are in the row. */
  readonly start: number;
  readonly end: number;
  /** Items from here on are targets; those before are context. */
  readonly firstTarget: number;
}

export interface RowOptions {
  batching: 'packed' | 'single';
  /** Items before a target that a row may show. */
  maxHistory: number;
  /** Whether a sequence's first item is a target. */
  trainFirstItem: boolean;
}

/**
 * Cuts sequences into rows; every item (the first one, if asked for) is a target in exactly one row.
 *
 * `packed` gives windows of `maxHistory + 1` items. Later windows start half a window back: what they share with the one before is context only, so that
 * no target of a long sequence loses more than half of its history.
 */
export function cutRows(
  sequences: readonly ArrayLike<number>[],
  { batching, maxHistory, trainFirstItem }: RowOptions,
): Row[] {
  const rows: Row[] = [];
  const context = Math.ceil(maxHistory / 2);
  sequences.forEach(({ length }, sequence) => {
    const first = trainFirstItem ? 0 : 1;
    if (batching === 'single') {
      for (let target = first; target < length; target++)
        rows.push({ sequence, start: Math.max(0, target - maxHistory), end: target + 1, firstTarget: target });
      return;
    }
    for (let firstTarget = first; firstTarget < length;) {
      const start = firstTarget === first ? 0 : Math.max(0, firstTarget - context);
      const end = Math.min(length, start + maxHistory + 1);
      rows.push({ sequence, start, end, firstTarget });
      firstTarget = end;
    }
  });
  return rows;
}
