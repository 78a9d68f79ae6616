/** A part of one sequence that becomes one training row. */
export interface Row {
  /** Index of the sequence. */
  readonly sequence: number;
  /** The row shows the items from `start` to `end` (exclusive). */
  readonly start: number;
  readonly end: number;
  /** Items from here on are targets; earlier ones are context. */
  readonly firstTarget: number;
}

export interface RowOptions {
  batching: 'packed' | 'single';
  /** Items that a row may show before a target. */
  maxHistory: number;
  /** Whether a sequence's first item is a target. */
  trainFirstItem: boolean;
}

/**
 * Cuts sequences into rows. Every item is a target in exactly one row; the first one only if `trainFirstItem`.
 *
 * `packed` gives windows of `maxHistory + 1` items. A later window begins half a window earlier, and what it shares
 * with the previous one is only context, so that no target of a long sequence loses more than half of its history.
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
