import { IlrecError } from '../errors';

/** Values and shape of one tensor, in JavaScript's memory. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** The content of a safetensors file: tensors by name, and text entries. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, TensorData>;
  readonly metadata: Readonly<Record<string, string>>;
}

const METADATA_KEY = '__metadata__';
const HEADER_BYTES = 8;
const ALIGNMENT = 8;

interface WrittenEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * Encodes the start of a safetensors file: 8 bytes of header length and a JSON header, padded with spaces to align the
 * values after it.
 *
 * @param entries type, shape and size in bytes of each tensor, in the order of their values.
 */
export function encodeSafetensorsHeader(
  entries: Iterable<readonly [string, { dtype: string; shape: readonly number[]; bytes: number }]>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, WrittenEntry | Record<string, string>> = { [METADATA_KEY]: { ...metadata } };
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of entries) {
    header[name] = { dtype, shape: [...shape], data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const unpadded = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = ALIGNMENT * Math.ceil(unpadded.length / ALIGNMENT);
  const start = new Uint8Array(HEADER_BYTES + headerLength).fill(0x20, HEADER_BYTES);
  new DataView(start.buffer).setBigUint64(0, BigInt(headerLength), true);
  start.set(unpadded, HEADER_BYTES);
  return start;
}

/**
 * Encodes float32 and int32 tensors as a safetensors file: 8 bytes of header length, a JSON header, then the values,
 * little-endian.
 *
 * @param file tensors by name, and text entries.
 * @returns the bytes of the file.
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { encodeSafetensors } from 'tfjs-ilrec';
 * import { folderSource, openSafetensorsFile } from 'tfjs-ilrec/node';
 *
 * const tensors = new Map([['scores', { shape: [2], data: Float32Array.of(0.5, 0.25) }]]);
 * await writeFile('scores.safetensors', encodeSafetensors({ tensors, metadata: { item: 'lipstick' } }));
 * const reader = await openSafetensorsFile(folderSource('.'), 'scores.safetensors');
 * console.log(await reader.read('scores')); // Float32Array(2) [ 0.5, 0.25 ]
 * ```
 */
export function encodeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const entries = [...tensors].map(
    ([name, { shape, data }]) =>
      [name, { dtype: data instanceof Float32Array ? 'F32' : 'I32', shape, bytes: data.byteLength }] as const,
  );
  const start = encodeSafetensorsHeader(entries, metadata);
  const bytes = new Uint8Array(entries.reduce((sum, [, entry]) => sum + entry.bytes, start.length));
  bytes.set(start);
  let position = start.length;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/**
 * Decodes what `encodeSafetensors` writes.
 *
 * @param name name of the file in error messages.
 * @param caller the function that error messages name. Default 'decodeSafetensors'.
 * @throws IlrecError when the file is truncated, its header is damaged, or a tensor is neither float32 nor int32.
 */
export function decodeSafetensors(bytes: Uint8Array, name: string, caller = 'decodeSafetensors'): TensorFile {
  const damaged = (found: string): IlrecError =>
    new IlrecError(`${caller}: ${name} must be a whole safetensors file, got ${found}; use another copy of it`);
  if (bytes.length < HEADER_BYTES) throw damaged(`${bytes.length} bytes`);
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES).getBigUint64(0, true));
  const start = HEADER_BYTES + headerLength;
  if (start > bytes.length) throw damaged(`${bytes.length} bytes instead of the ${start} that its header needs`);
  let header: Record<string, WrittenEntry> & { [METADATA_KEY]?: Record<string, string> };
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_BYTES, start)));
  } catch {
    throw damaged('a header that is not JSON');
  }
  const { [METADATA_KEY]: metadata = {}, ...entries } = header;
  const tensors = new Map<string, TensorData>();
  for (const [key, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const [low, high] = data_offsets;
    if (dtype !== 'F32' && dtype !== 'I32')
      throw new IlrecError(
        `${caller}: ${name} must hold F32 and I32 tensors, got ${String(dtype)} for "${key}"; convert it first`,
      );
    if (start + high > bytes.length) throw damaged(`${bytes.length} bytes, but "${key}" ends at ${start + high}`);
    const values = new Uint8Array(bytes.subarray(start + low, start + high)).buffer; // copied, to be aligned
    tensors.set(key, { shape: [...shape], data: dtype === 'F32' ? new Float32Array(values) : new Int32Array(values) });
  }
  return { tensors, metadata };
}
