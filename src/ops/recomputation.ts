/** How many recomputations are running, one inside another. */
let depth = 0;

/**
 * Whether a block's forward pass is being repeated for its gradient. Taps ignore such a pass: they saw the first one.
 */
export function isRecomputing(): boolean {
  return depth > 0;
}

/** Runs `compute` as a recomputation; `isRecomputing()` is true meanwhile, also in nested calls. */
export function recompute<T>(compute: () => T): T {
  depth++;
  try {
    return compute();
  } finally {
    depth--;
  }
}
