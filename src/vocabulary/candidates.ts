/** The tokens of one row that were kept. */
export interface RowCandidates {
  readonly tokens: Int32Array;
  /** The logit by which each was ranked. */
  readonly rankingLogits: Float32Array;
  /** The row's own logit of each. */
  readonly logits: Float32Array;
  /** Every token whose ranking logit is above this was kept; Infinity where they did not fit. */
  readonly completeAbove: number;
}

/**
 * Keeps, for each row of logits that come in parts, the tokens that may pass the row's threshold, which is known only
 * when the whole row has been seen. Tokens that are certain to be too low are left out on the way; a row with more
 * tokens than fit is given up.
 */
export class CandidateBuffer {
  private readonly tokens: Int32Array;
  private readonly rankingLogits: Float32Array;
  private readonly logits: Float32Array;
  private readonly counts: Int32Array;
  /** Tokens at or below this have been left out. */
  private readonly cutoffs: Float32Array;

  /** @param capacity how many tokens of a row fit. */
  constructor(
    readonly numRows: number,
    private readonly capacity: number,
  ) {
    this.tokens = new Int32Array(numRows * capacity);
    this.rankingLogits = new Float32Array(numRows * capacity);
    this.logits = new Float32Array(numRows * capacity);
    this.counts = new Int32Array(numRows);
    this.cutoffs = new Float32Array(numRows).fill(-Infinity);
  }

  /**
   * Leaves tokens at or below these ranking logits out of the next part, [numRows]. A cutoff only rises from part to
   * part.
   *
   * @param largest the largest ranking logit of each row in the part, [numRows].
   * @returns the rows that have something above their cutoff.
   */
  raise(cutoffs: ArrayLike<number>, largest: ArrayLike<number>): number[] {
    const open: number[] = [];
    for (let row = 0; row < this.numRows; row++) {
      this.cutoffs[row] = Math.max(this.cutoffs[row], cutoffs[row]);
      if (largest[row] > this.cutoffs[row]) open.push(row);
    }
    return open;
  }

  /**
   * Adds the part's tokens, from `start` on, of some of the rows: ranking logits and logits, [size] each, row by row.
   */
  add(rows: readonly number[], start: number, size: number, rankingLogits: Float32Array, logits: Float32Array): void {
    rows.forEach((row, i) => {
      const cutoff = this.cutoffs[row];
      for (let place = i * size; place < (i + 1) * size; place++) {
        if (!(rankingLogits[place] > cutoff)) continue;
        if (this.counts[row] === this.capacity && !this.makeRoom(row)) {
          this.cutoffs[row] = Infinity;
          return;
        }
        const slot = row * this.capacity + this.counts[row]++;
        this.tokens[slot] = start + place - i * size;
        this.rankingLogits[slot] = rankingLogits[place];
        this.logits[slot] = logits[place];
      }
    });
  }

  of(row: number): RowCandidates {
    const [from, to] = [row * this.capacity, row * this.capacity + this.counts[row]];
    return {
      tokens: this.tokens.subarray(from, to),
      rankingLogits: this.rankingLogits.subarray(from, to),
      logits: this.logits.subarray(from, to),
      completeAbove: this.cutoffs[row],
    };
  }

  /** Drops the tokens of earlier parts that the cutoff now leaves out. @returns whether anything was dropped. */
  private makeRoom(row: number): boolean {
    const from = row * this.capacity;
    let to = from;
    for (let slot = from; slot < from + this.capacity; slot++) {
      if (!(this.rankingLogits[slot] > this.cutoffs[row])) continue;
      this.tokens[to] = this.tokens[slot];
      this.rankingLogits[to] = this.rankingLogits[slot];
      this.logits[to++] = this.logits[slot];
    }
    this.counts[row] = to - from;
    return to - from < this.capacity;
  }
}
