import { IlrecError } from '../errors';
import { type FileSource, LFS_POINTER_BYTES, missingFile, refuseLfsPointer } from '../files/file_source';
import { BYTES_PER_VALUE, type SafetensorsType } from './safetensors_types';

/** Where a tensor lies in its file. */
export interface HeaderEntry {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  /** Position of the first byte in the file, and of the byte after the last. */
  readonly range: readonly [number, number];
}

export const HEADER_LENGTH_BYTES = 8;
const METADATA_KEY = '__metadata__';
/** The format's own limit, 100 MB. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads the header of a safetensors file and checks that every tensor lies inside the file.
 *
 * @param caller the public function that error messages name.
 * @returns tensors by name, in the header's order.
 * @throws IlrecError when the file is missing, truncated or damaged, or names a type that the format does not have.
 */
export async function readSafetensorsHeader(
  source: FileSource,
  file: string,
  caller: string,
): Promise<Map<string, HeaderEntry>> {
  if (!(await source.has(file))) throw missingFile(caller, source.name, file);
  const damaged = (found: string): IlrecError =>
    new IlrecError(
      `${caller}: ${file} of ${source.name} must be a whole safetensors file, got ${found}; use another copy of it`,
    );
  const size = await source.size(file);
  if (size < HEADER_LENGTH_BYTES) throw damaged(`${size} bytes`);
  const lengthBytes = await source.read(file, 0, HEADER_LENGTH_BYTES);
  const headerLength = Number(
    new DataView(lengthBytes.buffer, lengthBytes.byteOffset, HEADER_LENGTH_BYTES).getBigUint64(0, true),
  );
  if (headerLength > size) refuseLfsPointer(await source.read(file, 0, LFS_POINTER_BYTES), source.name, file, caller);
  if (headerLength > MAX_HEADER_BYTES)
    throw damaged(`a header of ${headerLength} bytes, above the limit of ${MAX_HEADER_BYTES}`);
  const start = HEADER_LENGTH_BYTES + headerLength;
  if (start > size) throw damaged(`${size} bytes, but its header ends at ${start}`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(await source.read(file, HEADER_LENGTH_BYTES, start)));
  } catch {
    throw damaged('a header that is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw damaged('a header that is not a JSON object');

  const entries = new Map<string, HeaderEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA_KEY) continue;
    const { dtype, shape, data_offsets } = (value ?? {}) as { dtype: unknown; shape: unknown; data_offsets: unknown };
    if (!areCounts(shape) || !areCounts(data_offsets) || data_offsets.length !== 2 || typeof dtype !== 'string')
      throw damaged(`a damaged entry for "${name}"`);
    if (!Object.hasOwn(BYTES_PER_VALUE, dtype)) {
      throw new IlrecError(
        `${caller}: ${file} of ${source.name} must hold tensors of types ` +
          `${Object.keys(BYTES_PER_VALUE).join(', ')}, got ${dtype} for "${name}"; convert it first`,
      );
    }
    const [low, high] = data_offsets;
    const bytes = shape.reduce((product, n) => product * n, BYTES_PER_VALUE[dtype as SafetensorsType]);
    if (high - low !== bytes)
      throw damaged(`${high - low} bytes for "${name}", which needs ${bytes} as ${dtype} [${shape.join(', ')}]`);
    if (start + high > size) throw damaged(`${size} bytes, but "${name}" ends at ${start + high}`);
    entries.set(name, { dtype: dtype as SafetensorsType, shape, range: [start + low, start + high] });
  }
  return entries;
}

function areCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
