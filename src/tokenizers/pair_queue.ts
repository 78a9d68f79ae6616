/** A pair of tokens as one number, and how often it occurs. */
export interface CountedPair {
  readonly pair: number;
  readonly count: number;
}

/**
 * A priority queue of pairs: most frequent first, then the smaller pair. Counts may change while pairs wait; `pop`
 * corrects outdated entries.
 */
export class PairQueue {
  private readonly heap: CountedPair[] = [];

  /**
   * @param counts current counts. The caller keeps them up to date, and pushes a pair again when its count has grown.
   */
  constructor(private readonly counts: ReadonlyMap<number, number>) {}

  push(pair: number): void {
    const count = this.counts.get(pair) ?? 0;
    if (count > 0) this.add({ pair, count });
  }

  /** Removes and returns the most frequent pair; null when the queue is empty. */
  pop(): CountedPair | null {
    for (;;) {
      const top = this.take();
      if (top === undefined) return null;
      const count = this.counts.get(top.pair) ?? 0;
      if (count === top.count) return top;
      if (count > 0 && count < top.count) this.add({ pair: top.pair, count });
    }
  }

  private add(entry: CountedPair): void {
    const { heap } = this;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  private take(): CountedPair | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function isBefore(a: CountedPair, b: CountedPair): boolean {
  return a.count > b.count || (a.count === b.count && a.pair < b.pair);
}
