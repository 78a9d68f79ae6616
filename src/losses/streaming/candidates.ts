/** The tokens of one row that may be negatives. */
export interface RowCandidates {
  readonly tokens: Int32Array;
  /** z~ and z^L of each. */
  readonly ensemble: Float32Array;
  readonly final: Float32Array;
  /** Every token whose z~ is above this is among them; -Infinity where all tokens are. */
  readonly complete: number;
}

/**
 * Keeps, for each row of logits that come in parts, the tokens with the largest z~: the threshold that makes a token a negative is known only when the
 * whole row has been seen, and the largest are those that pass it. Linear in the tokens, whatever their order.
 */
export class CandidateBuffer {
  private readonly tokens: Int32Array;
  private readonly ensemble: Float32Array;
  private readonly final: Float32Array;
  private readonly counts: Int32Array;
  /** Tokens at or below this have been left out. */
  private readonly cutoffs: Float32Array;
  private readonly capacity: number;

  /** @param kept how many tokens of a row are kept at least. */
  constructor(
    readonly rows: number,
    private readonly kept: number,
  ) {
    this.capacity = 2 * kept;
    this.tokens = new Int32Array(rows * this.capacity);
    this.ensemble = new Float32Array(rows * this.capacity);
    this.final = new Float32Array(rows * this.capacity);
    this.counts = new Int32Array(rows);
    this.cutoffs = new Float32Array(rows).fill(-Infinity);
  }

  /** The tokens from `start` on: z~ and z^L, [rows * size] row by row. */
  add(start: number, size: number, ensemble: Float32Array, final: Float32Array): void {
    for (let row = 0; row < this.rows; row++) {
      const end = (row + 1) * size;
      let cutoff = this.cutoffs[row];
      for (let at = row * size; at < end; at++) {
        if (!(ensemble[at] > cutoff)) continue;
        const slot = row * this.capacity + this.counts[row]++;
        this.tokens[slot] = start + at - row * size;
        this.ensemble[slot] = ensemble[at];
        this.final[slot] = final[at];
        if (this.counts[row] === this.capacity) cutoff = this.trim(row);
      }
    }
  }

  of(row: number): RowCandidates {
    const [from, to] = [row * this.capacity, row * this.capacity + this.counts[row]];
    return { tokens: this.tokens.subarray(from, to), ensemble: this.ensemble.subarray(from, to), final: this.final.subarray(from, to), complete: this.cutoffs[row] };
  }

  /** Leaves the `kept` largest of a full row, and those that equal the smallest of them out. */
  private trim(row: number): number {
    const from = row * this.capacity;
    const cutoff = this.ensemble.slice(from, from + this.capacity).sort()[this.capacity - this.kept - 1];
    let to = from;
    for (let at = from; at < from + this.capacity; at++) {
      if (!(this.ensemble[at] > cutoff)) continue;
      this.tokens[to] = this.tokens[at];
      this.ensemble[to] = this.ensemble[at];
      this.final[to++] = this.final[at];
    }
    this.counts[row] = to - from;
    return (this.cutoffs[row] = cutoff);
  }
}
