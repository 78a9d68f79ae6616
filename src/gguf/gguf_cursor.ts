import type { IlrecError } from '../errors';
import type { FileSource } from '../files/file_source';

/** Bytes of one read: most headers are a few MB, because they hold the tokenizer. */
const READ_BYTES = 1 << 20;

type Getter =
  'getUint8' | 'getInt8' | 'getUint16' | 'getInt16' | 'getUint32' | 'getInt32' | 'getFloat32' | 'getFloat64';

/** Reads little-endian values one after another, and never beyond the end of the file. */
export class GgufCursor {
  private bytes: Uint8Array = new Uint8Array(0);
  private view = new DataView(this.bytes.buffer);
  private start = 0; // of `bytes` in the file
  private at = 0; // in `bytes`
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(
    private readonly source: FileSource,
    private readonly file: string,
    private readonly size: number,
    private readonly damaged: (found: string) => IlrecError,
  ) {}

  /** The position in the file. */
  get position(): number {
    return this.start + this.at;
  }

  /** @throws IlrecError when the file ends before. */
  async skip(count: number): Promise<void> {
    await this.need(count);
    this.at += count;
  }

  /** @throws IlrecError when the file ends within the value. */
  async number(getter: Getter, bytes: number): Promise<number> {
    if (this.at + bytes > this.bytes.length) await this.need(bytes);
    const value = this.view[getter](this.at, true);
    this.at += bytes;
    return value;
  }

  /** A 64-bit integer, as a number up to 2^53. @throws IlrecError when the file ends within it. */
  async integer(getter: 'getBigUint64' | 'getBigInt64'): Promise<number | bigint> {
    if (this.at + 8 > this.bytes.length) await this.need(8);
    const value = this.view[getter](this.at, true);
    this.at += 8;
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  /**
   * A number of things that follow.
   *
   * @param least bytes that each of them takes at least.
   * @throws IlrecError when the rest of the file has no room for so many.
   */
  async count(least: number, things: string): Promise<number> {
    const count = await this.integer('getBigUint64');
    if (Number(count) * least > this.size - this.position)
      throw this.damaged(`${count} ${things} in ${this.size} bytes`);
    return Number(count);
  }

  /** @throws IlrecError when the file ends within the text. */
  async text(): Promise<string> {
    const length = await this.count(1, 'bytes of a text');
    if (this.at + length > this.bytes.length) await this.need(length);
    const text = this.decoder.decode(this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return text;
  }

  /** Makes sure that so many bytes from the position on are in memory. */
  private async need(count: number): Promise<void> {
    const from = this.position;
    if (from + count > this.size) throw this.damaged(`${this.size} bytes, but its header goes on`);
    const bytes = await this.source.read(this.file, from, Math.min(this.size, from + Math.max(count, READ_BYTES)));
    if (bytes.length < count) throw this.damaged(`its end at ${from + bytes.length}`);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    [this.start, this.at] = [from, 0];
  }
}
