let depth = 0;

/** Whether a block's forward pass is being repeated for its gradient: what taps saw the first time must not be taken again. */
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
