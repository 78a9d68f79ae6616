import { IlrecError } from '../errors';
import { type FileSource, LFS_POINTER_BYTES, missingFile, refuseLfsPointer } from '../files/file_source';
import { GgufCursor } from './gguf_cursor';
import { GGUF_BLOCKS, ggufTypeName, isReadable } from './gguf_types';

/** A value of the metadata. 64-bit integers beyond 2^53 are bigints. */
export type GgufValue = string | number | bigint | boolean | readonly GgufValue[];

/** A tensor as the header describes it. */
export interface GgufEntry {
  /** The name of ggml's type; tensors of some types cannot be read. */
  readonly dtype: string;
  /** The last axis is contiguous, as in PyTorch; the file lists the axes in the other order. */
  readonly shape: readonly number[];
  /** Position of the first byte in the file, and of the byte after the last, if the type can be read. */
  readonly range: readonly [number, number];
}

/** What stands before the tensors of a GGUF file. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufEntry>;
}

const MAGIC = 'GGUF';
const FIXED_BYTES = 24;
/** The least a metadata entry takes: a key of no bytes, a type and one byte. */
const LEAST_ENTRY_BYTES = 13;
/** The least a tensor takes: a name of no bytes, no axis, type and offset. */
const LEAST_TENSOR_BYTES = 24;
const MAX_AXES = 4; // ggml's own limit
const MAX_DEPTH = 4;
const ARRAY = 9;
/** Readers of the plain kinds of values, by their number in the file, and their least size in bytes. */
const VALUES: Readonly<Record<number, readonly [(cursor: GgufCursor) => Promise<GgufValue>, number]>> = {
  0: [(cursor) => cursor.number('getUint8', 1), 1],
  1: [(cursor) => cursor.number('getInt8', 1), 1],
  2: [(cursor) => cursor.number('getUint16', 2), 2],
  3: [(cursor) => cursor.number('getInt16', 2), 2],
  4: [(cursor) => cursor.number('getUint32', 4), 4],
  5: [(cursor) => cursor.number('getInt32', 4), 4],
  6: [(cursor) => cursor.number('getFloat32', 4), 4],
  7: [async (cursor) => (await cursor.number('getUint8', 1)) !== 0, 1],
  8: [(cursor) => cursor.text(), 8],
  10: [(cursor) => cursor.integer('getBigUint64'), 8],
  11: [(cursor) => cursor.integer('getBigInt64'), 8],
  12: [(cursor) => cursor.number('getFloat64', 8), 8],
};

/**
 * Reads metadata and places of tensors, and checks that everything lies inside the file.
 *
 * @param caller the public function that error messages name.
 * @throws IlrecError when the file is missing, truncated or damaged, or of a version that is not supported.
 */
export async function readGgufHeader(source: FileSource, file: string, caller: string): Promise<GgufHeader> {
  if (!(await source.has(file))) throw missingFile(caller, source.name, file);
  const damaged = (found: string): IlrecError =>
    new IlrecError(
      `${caller}: ${file} of ${source.name} must be a whole GGUF file, got ${found}; use another copy of it`,
    );
  const size = await source.size(file);
  const start = await source.read(file, 0, LFS_POINTER_BYTES);
  refuseLfsPointer(start, source.name, file, caller);
  if (new TextDecoder().decode(start.subarray(0, 4)) !== MAGIC) throw damaged('another kind of file');
  if (size < FIXED_BYTES) throw damaged(`${size} bytes`);

  const cursor = new GgufCursor(source, file, size, damaged);
  await cursor.skip(MAGIC.length);
  const version = await cursor.number('getUint32', 4);
  if (version !== 2 && version !== 3)
    throw new IlrecError(
      `${caller}: ${file} of ${source.name} must be GGUF of version 2 or 3, got ` +
        `${(version & 0xffff) === 0 ? 'a file in big-endian order' : `version ${version}`}; convert the model again`,
    );
  const numTensors = await cursor.count(LEAST_TENSOR_BYTES, 'tensors');
  const numEntries = await cursor.count(LEAST_ENTRY_BYTES, 'metadata entries');

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < numEntries; i++) {
    const key = await cursor.text();
    if (metadata.has(key)) throw damaged(`"${key}" twice in its metadata`);
    metadata.set(key, await readValue(cursor, await cursor.number('getUint32', 4), key, 0, damaged));
  }
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || !Number.isInteger(alignment) || alignment < 1)
    throw damaged(`general.alignment ${String(alignment)}`);

  const places: { name: string; dtype: string; shape: number[]; offset: number; bytes: number }[] = [];
  for (let i = 0; i < numTensors; i++) {
    const name = await cursor.text();
    const axes = await cursor.number('getUint32', 4);
    if (axes > MAX_AXES) throw damaged(`${axes} axes for "${name}"`);
    const shape: number[] = [];
    for (let axis = 0; axis < axes; axis++) shape.unshift(Number(await cursor.integer('getBigUint64')));
    const dtype = ggufTypeName(await cursor.number('getUint32', 4));
    const offset = Number(await cursor.integer('getBigUint64'));
    places.push({ name, dtype, shape, offset, bytes: bytesOf(dtype, shape, name, damaged) });
  }
  const data = alignment * Math.ceil(cursor.position / alignment);
  const tensors = new Map<string, GgufEntry>();
  for (const { name, dtype, shape, offset, bytes } of places) {
    if (tensors.has(name)) throw damaged(`"${name}" twice`);
    if (offset % alignment !== 0) throw damaged(`"${name}" at ${offset}, which is no multiple of ${alignment}`);
    const range = [data + offset, data + offset + bytes] as const;
    if (range[1] > size) throw damaged(`${size} bytes, but "${name}" ends at ${range[1]}`);
    tensors.set(name, { dtype, shape, range });
  }
  return { metadata, tensors };
}

async function readValue(
  cursor: GgufCursor,
  type: number,
  key: string,
  depth: number,
  damaged: (found: string) => IlrecError,
): Promise<GgufValue> {
  if (type !== ARRAY) {
    const [read] = VALUES[type] ?? [];
    if (read === undefined) throw damaged(`metadata of type ${type} for "${key}"`);
    return await read(cursor);
  }
  if (depth === MAX_DEPTH) throw damaged(`lists within lists for "${key}"`);
  const inner = await cursor.number('getUint32', 4);
  const length = await cursor.count(VALUES[inner]?.[1] ?? 12, `values of "${key}"`);
  const list: GgufValue[] = [];
  for (let i = 0; i < length; i++) list.push(await readValue(cursor, inner, key, depth + 1, damaged));
  return list;
}

/** Bytes of a tensor; 0 where the type cannot be read. */
function bytesOf(dtype: string, shape: number[], name: string, damaged: (found: string) => IlrecError): number {
  const count = shape.reduce((product, n) => product * n, 1);
  if (!Number.isSafeInteger(count)) throw damaged(`[${shape.join(', ')}] for "${name}"`);
  if (!isReadable(dtype)) return 0;
  const { values, bytes } = GGUF_BLOCKS[dtype];
  if ((shape.at(-1) ?? 1) % values !== 0)
    throw damaged(`[${shape.join(', ')}] for "${name}", which ${dtype} stores in rows of whole blocks of ${values}`);
  return (count / values) * bytes;
}
