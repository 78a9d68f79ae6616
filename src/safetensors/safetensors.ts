import { IlrecError } from '../errors';

/** Values and shape of one tensor on the CPU. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** Tensors by name, and the text entries that a file carries beside them. */
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
 * The start of a safetensors file: 8 bytes of header length and a JSON header, padded with spaces so that the values after it are aligned.
 *
 * @param entries type, shape and bytes of each tensor, in the order in which their values follow.
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

/** Writes float32 and int32 tensors in the safetensors format: 8 bytes of header length, a JSON header, the values in little-endian order. */
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
 * Reads what `encodeSafetensors` writes.
 *
 * @param name the file's name, for errors.
 * @throws IlrecError when the file is cut off, its header is damaged, or a tensor is neither float32 nor int32.
 */
export function decodeSafetensors(bytes: Uint8Array, name: string): TensorFile {
  const damaged = (found: string): IlrecError =>
    new IlrecError(`decodeSafetensors: ${name} must be a whole safetensors file, got ${found}; use another copy of it`);
  if (bytes.length < HEADER_BYTES) throw damaged(`${bytes.length} bytes`);
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES).getBigUint64(0, true));
  const start = HEADER_BYTES + headerLength;
  if (start > bytes.length) throw damaged(`${bytes.length} bytes where the header needs ${start}`);
  let header: Record<string, WrittenEntry> & { [METADATA_KEY]?: Record<string, string> };
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_BYTES, start)));
  } catch {
    throw damaged('a header that is no JSON');
  }
  const { [METADATA_KEY]: metadata = {}, ...entries } = header;
  const tensors = new Map<string, TensorData>();
  for (const [key, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const [low, high] = data_offsets;
    if (dtype !== 'F32' && dtype !== 'I32')
      throw new IlrecError(
        `decodeSafetensors: ${name} must hold F32 and I32 tensors, got ${String(dtype)} for "${key}"; convert it first`,
      );
    if (start + high > bytes.length) throw damaged(`${bytes.length} bytes where "${key}" ends at ${start + high}`);
    const values = new Uint8Array(bytes.subarray(start + low, start + high)).buffer; // a copy, so that it is aligned
    tensors.set(key, { shape: [...shape], data: dtype === 'F32' ? new Float32Array(values) : new Int32Array(values) });
  }
  return { tensors, metadata };
}
