/**
 * Keeps the best `capacity` of a stream of candidates, in a heap whose root is the worst one kept. A higher score is
 * better; of equal scores the lower key is. The result does not depend on the order of the stream if all keys differ.
 */
export class TopK {
  size = 0;
  private readonly scores: Float64Array;
  private readonly keys: Int32Array;
  private readonly payloads: Int32Array;

  /** @param capacity candidates to keep, an integer of at least 1. */
  constructor(readonly capacity: number) {
    this.scores = new Float64Array(capacity);
    this.keys = new Int32Array(capacity);
    this.payloads = new Int32Array(capacity);
  }

  clear(): void {
    this.size = 0;
  }

  /** The score of the worst candidate kept; -Infinity while there is room. A candidate below it is not kept. */
  get bar(): number {
    return this.size < this.capacity ? -Infinity : this.scores[0];
  }

  /** Whether `offer` would keep the candidate, so that a caller can skip further tests. */
  accepts(score: number, key: number): boolean {
    return this.size < this.capacity || score > this.scores[0] || (score === this.scores[0] && key < this.keys[0]);
  }

  /** Keeps the candidate if it is among the best so far. @param payload any integer; `drain` returns it. */
  offer(score: number, key: number, payload = 0): void {
    if (this.size < this.capacity) {
      this.place(this.rise(this.size++, score, key), score, key, payload);
    } else if (this.accepts(score, key)) {
      this.place(this.sink(score, key), score, key, payload);
    }
  }

  /** Visits the candidates that were kept, best first, and empties the heap. */
  drain(visit: (rank: number, score: number, key: number, payload: number) => void): void {
    const { scores, keys, payloads } = this;
    const count = this.size;
    while (this.size > 1) {
      // The worst moves behind the shrinking heap, so the array ends up sorted, best first.
      const last = --this.size;
      const [score, key, payload] = [scores[last], keys[last], payloads[last]];
      [scores[last], keys[last], payloads[last]] = [scores[0], keys[0], payloads[0]];
      this.place(this.sink(score, key), score, key, payload);
    }
    this.size = 0;
    for (let rank = 0; rank < count; rank++) visit(rank, scores[rank], keys[rank], payloads[rank]);
  }

  private place(slot: number, score: number, key: number, payload: number): void {
    this.scores[slot] = score;
    this.keys[slot] = key;
    this.payloads[slot] = payload;
  }

  /** Moves better parents down from `slot` until the candidate fits. @returns its slot. */
  private rise(slot: number, score: number, key: number): number {
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!isWorse(score, key, this.scores[parent], this.keys[parent])) break;
      this.copy(parent, slot);
      slot = parent;
    }
    return slot;
  }

  /** Moves worse children up from the root until the candidate fits. @returns its slot. */
  private sink(score: number, key: number): number {
    const { scores, keys, size } = this;
    let slot = 0;
    for (let child = 1; child < size; child = 2 * slot + 1) {
      if (child + 1 < size && isWorse(scores[child + 1], keys[child + 1], scores[child], keys[child])) child++;
      if (!isWorse(scores[child], keys[child], score, key)) break;
      this.copy(child, slot);
      slot = child;
    }
    return slot;
  }

  private copy(from: number, to: number): void {
    this.place(to, this.scores[from], this.keys[from], this.payloads[from]);
  }
}

function isWorse(score: number, key: number, otherScore: number, otherKey: number): boolean {
  return score < otherScore || (score === otherScore && key > otherKey);
}
