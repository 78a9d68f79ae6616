import { mixSeeds } from '../ops/dropout';

/**
 * A number for a sequence of whole numbers, which stands for it in a map: a batch reaches a loss as token ids alone, so
 * what is known of its rows is found by what they hold. 53 bits: among a million sequences, two share a key with a
 * probability of 1 in 20,000.
 */
export class ContentKey {
  private high = 1;
  private low = 2;

  /** Appends a number. */
  add(value: number): this {
    this.high = mixSeeds(this.high, value);
    this.low = mixSeeds(value, this.low);
    return this;
  }

  /** The key of what was added so far. */
  get value(): number {
    return (this.high & 0x1fffff) * 2 ** 32 + (this.low >>> 0);
  }

  /** The key with one more number, which is not kept. */
  with(value: number): number {
    const { high, low } = this;
    const key = this.add(value).value;
    this.high = high;
    this.low = low;
    return key;
  }
}
