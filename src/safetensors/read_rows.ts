import { IlrecError } from '../errors';
import type { FileSource } from '../files/file_source';
import { transposeRows } from './transpose_rows';

/** Bytes of one read: large enough for a network, small compared with a tensor. */
export const READ_BYTES = 1 << 24;

/** A tensor in a file, and how its bytes become numbers. */
export interface StoredRows {
  /** The public function that errors name. */
  readonly caller: string;
  readonly source: FileSource;
  readonly file: string;
  /** The tensor's name. */
  readonly name: string;
  /** First byte of the tensor, and the one after its last. */
  readonly range: readonly [number, number];
  /** Numbers of a row, and its bytes. */
  readonly width: number;
  readonly rowBytes: number;
  /** Numbers of the tensor. */
  readonly size: number;
  readonly transposed: boolean;
  decode(bytes: Uint8Array): Float32Array;
}

/**
 * Reads a tensor a few rows at a time, so that its bytes and its numbers are never both in memory whole.
 *
 * @throws IlrecError when the file ends within the tensor.
 */
export async function readRows({
  caller,
  source,
  file,
  name,
  range: [low, high],
  width,
  rowBytes,
  size,
  transposed,
  decode,
}: StoredRows): Promise<Float32Array> {
  const values = new Float32Array(size);
  const rows = size / Math.max(1, width);
  const rowsAtOnce = Math.max(1, Math.floor(READ_BYTES / Math.max(1, rowBytes)));
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const start = low + row * rowBytes;
    const end = Math.min(high, start + rowsAtOnce * rowBytes);
    const bytes = await source.read(file, start, end);
    if (bytes.length !== end - start)
      throw new IlrecError(
        `${caller}: ${file} of ${source.name} must be whole, got its end within "${name}"; use another copy of it`,
      );
    const part = decode(bytes);
    if (transposed) transposeRows(part, width, values, rows, row);
    else values.set(part, row * width);
  }
  return values;
}
