const BITS = 16;
const SIZE = 1 << BITS; // numbers per chunk

/**
 * A list of numbers that grows in chunks: large lists need no room for a copy, unlike an array that doubles.
 */
export class NumberColumn<A extends Int32Array | Float64Array> {
  private readonly chunks: A[] = [];
  /** How many numbers there are. */
  length = 0;

  /** @param type the typed array of the chunks. */
  constructor(private readonly type: new (length: number) => A) {}

  push(value: number): void {
    const place = this.length & (SIZE - 1);
    if (place === 0) this.chunks.push(new this.type(SIZE));
    this.chunks[this.chunks.length - 1][place] = value;
    this.length++;
  }

  at(row: number): number {
    return this.chunks[row >> BITS][row & (SIZE - 1)];
  }

  set(row: number, value: number): void {
    this.chunks[row >> BITS][row & (SIZE - 1)] = value;
  }
}
