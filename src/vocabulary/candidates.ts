/** The tokens of one row that may be negatives. */
export interface RowCandidates {
  readonly tokens: Int32Array;
  /** z~ and z^L of each. */
  readonly ensemble: Float32Array;
  readonly final: Float32Array;
  /** Every token whose z~ is above this is among them; Infinity where they did not fit. */
  readonly complete: number;
}

/**
 * Keeps, for each row of logits that come in parts, the tokens that may pass the row's threshold, which is known only when the whole row has been seen.
 * What is certain to be too low by then is left out on the way; rows with more tokens than fit are given up.
 */
export class CandidateBuffer {
  private readonly tokens: Int32Array;
  private readonly ensemble: Float32Array;
  private readonly final: Float32Array;
  private readonly counts: Int32Array;
  /** Tokens at or below this have been left out. */
  private readonly cutoffs: Float32Array;

  /** @param capacity how many tokens of a row fit. */
  constructor(
    readonly rows: number,
    private readonly capacity: number,
  ) {
    this.tokens = new Int32Array(rows * capacity);
    this.ensemble = new Float32Array(rows * capacity);
    this.final = new Float32Array(rows * capacity);
    this.counts = new Int32Array(rows);
    this.cutoffs = new Float32Array(rows).fill(-Infinity);
  }

  /**
   * Says that tokens at or below these z~ are left out of the next part, [rows]; a cutoff only rises from part to part.
   *
   * @param largest the largest z~ of each row in the part, [rows].
   * @returns the rows that have something above their cutoff.
   */
  raise(cutoffs: ArrayLike<number>, largest: ArrayLike<number>): number[] {
    const open: number[] = [];
    for (let row = 0; row < this.rows; row++) {
      this.cutoffs[row] = Math.max(this.cutoffs[row], cutoffs[row]);
      if (largest[row] > this.cutoffs[row]) open.push(row);
    }
    return open;
  }

  /** The part's tokens, from `start` on, of some of the rows: z~ and z^L, [size] each, row by row. */
  add(rows: readonly number[], start: number, size: number, ensemble: Float32Array, final: Float32Array): void {
    rows.forEach((row, i) => {
      const cutoff = this.cutoffs[row];
      for (let at = i * size; at < (i + 1) * size; at++) {
        if (!(ensemble[at] > cutoff)) continue;
        if (this.counts[row] === this.capacity && !this.makeRoom(row)) {
          this.cutoffs[row] = Infinity;
          return;
        }
        const slot = row * this.capacity + this.counts[row]++;
        this.tokens[slot] = start + at - i * size;
        this.ensemble[slot] = ensemble[at];
        this.final[slot] = final[at];
      }
    });
  }

  of(row: number): RowCandidates {
    const [from, to] = [row * this.capacity, row * this.capacity + this.counts[row]];
    return {
      tokens: this.tokens.subarray(from, to),
      ensemble: this.ensemble.subarray(from, to),
      final: this.final.subarray(from, to),
      complete: this.cutoffs[row],
    };
  }

  /** Drops what earlier parts have added and the cutoff now leaves out. @returns whether anything was dropped. */
  private makeRoom(row: number): boolean {
    const from = row * this.capacity;
    let to = from;
    for (let at = from; at < from + this.capacity; at++) {
      if (!(this.ensemble[at] > this.cutoffs[row])) continue;
      this.tokens[to] = this.tokens[at];
      this.ensemble[to] = this.ensemble[at];
      this.final[to++] = this.final[at];
    }
    this.counts[row] = to - from;
    return to - from < this.capacity;
  }
}
