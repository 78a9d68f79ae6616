import { IlrecError } from '../errors';
import { type FileSource, readJson } from '../files/file_source';
import { type HeaderEntry, readSafetensorsHeader } from './safetensors_header';
import { BYTES_PER_VALUE, decodeValues, READABLE_TYPES, type SafetensorsType } from './safetensors_types';
import { transposeRows } from './transpose_rows';

/** A tensor of a checkpoint, as its file's header describes it. */
export interface TensorEntry {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  /** The shard it is in. */
  readonly file: string;
}

export interface ReadTensorOptions {
  /** Gives a matrix [out, in] as [in, out]. Default false. */
  readonly transposed?: boolean;
}

/** The tensors of a checkpoint, read when asked for. */
export interface CheckpointReader {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /**
   * Reads one tensor as float32; F16 and BF16 exactly, I32 rounded. At most `READ_BYTES` of the file are held beside the result.
   *
   * @throws IlrecError when there is no such tensor or its type cannot be read.
   */
  read(name: string, options?: ReadTensorOptions): Promise<Float32Array>;
}

export const SAFETENSORS_FILE = 'model.safetensors';
export const SAFETENSORS_INDEX = 'model.safetensors.index.json';
/** Bytes asked of a source at once: large enough for a network, small beside a tensor. */
export const READ_BYTES = 1 << 24;

/**
 * Opens the weights of a checkpoint: `model.safetensors`, or `model.safetensors.index.json` and the shards it names. Only headers are read.
 *
 * @throws IlrecError when neither is there, a shard is missing, or a header is damaged.
 */
export async function openSafetensors(source: FileSource): Promise<CheckpointReader> {
  if (await source.has(SAFETENSORS_FILE)) return await openSafetensorsFile(source, SAFETENSORS_FILE);
  if (!(await source.has(SAFETENSORS_INDEX))) {
    throw new IlrecError(
      `openSafetensors: ${source.name} must have ${SAFETENSORS_FILE} or ${SAFETENSORS_INDEX}, got neither; convert other formats with save_pretrained of transformers`,
    );
  }
  const shardOf = shardsOf(await readJson(source, SAFETENSORS_INDEX), source.name);
  const files = [...new Set(shardOf.values())].sort();
  const present = await Promise.all(files.map((file) => source.has(file)));
  const missing = files.filter((_, i) => !present[i]);
  if (missing.length > 0) {
    throw new IlrecError(
      `openSafetensors: ${source.name} must have the ${files.length} shards that ${SAFETENSORS_INDEX} names, got no ${missing.join(', ')}; use a complete copy of the checkpoint`,
    );
  }
  const all = new Map<string, HeaderEntry & TensorEntry>();
  for (const file of files) {
    for (const [name, entry] of await readSafetensorsHeader(source, file)) {
      if ((shardOf.get(name) ?? file) === file) all.set(name, { ...entry, file });
    }
  }
  for (const [name, file] of shardOf) {
    if (!all.has(name))
      throw new IlrecError(
        `openSafetensors: ${file} of ${source.name} must hold "${name}" as ${SAFETENSORS_INDEX} says, got none; use the shards of the same copy`,
      );
  }
  return readerOf(source, all);
}

/** Opens one safetensors file of any name. @throws IlrecError when it is missing or its header is damaged. */
export async function openSafetensorsFile(source: FileSource, file: string): Promise<CheckpointReader> {
  const header = await readSafetensorsHeader(source, file);
  return readerOf(source, new Map([...header].map(([name, entry]) => [name, { ...entry, file }])));
}

/** The shard of each tensor that an index names. */
export function shardsOf(index: Readonly<Record<string, unknown>>, source: string): Map<string, string> {
  const map = index.weight_map;
  if (typeof map !== 'object' || map === null) {
    throw new IlrecError(
      `openSafetensors: ${SAFETENSORS_INDEX} of ${source} must have a weight_map, got none; use another copy of it`,
    );
  }
  const shards = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !/^[^/\\]+\.safetensors$/.test(file)) {
      throw new IlrecError(
        `openSafetensors: weight_map of ${SAFETENSORS_INDEX} must name .safetensors files beside it, got ${JSON.stringify(file)} for "${name}"; use another copy of it`,
      );
    }
    shards.set(name, file);
  }
  return shards;
}

function readerOf(source: FileSource, entries: ReadonlyMap<string, HeaderEntry & TensorEntry>): CheckpointReader {
  return {
    entries,
    read: async (name, { transposed = false } = {}) => {
      const entry = entries.get(name);
      if (entry === undefined)
        throw new IlrecError(`openSafetensors: ${source.name} must hold "${name}", got no such tensor`);
      const {
        dtype,
        shape,
        range: [low, high],
        file,
      } = entry;
      if (!READABLE_TYPES.includes(dtype)) {
        throw new IlrecError(
          `openSafetensors: "${name}" of ${source.name} must be one of ${READABLE_TYPES.join(', ')}, got ${dtype}; convert it first`,
        );
      }
      const width = shape.length === 0 ? 1 : shape[shape.length - 1];
      const rowBytes = Math.max(1, width * BYTES_PER_VALUE[dtype]);
      const values = new Float32Array((high - low) / BYTES_PER_VALUE[dtype]);
      const rows = values.length / Math.max(1, width);
      const rowsAtOnce = Math.max(1, Math.floor(READ_BYTES / rowBytes));
      for (let row = 0; row < rows; row += rowsAtOnce) {
        const start = low + row * rowBytes;
        const end = Math.min(high, start + rowsAtOnce * rowBytes);
        const bytes = await source.read(file, start, end);
        if (bytes.length !== end - start)
          throw new IlrecError(
            `openSafetensors: ${file} of ${source.name} must be whole, got its end within "${name}"; use another copy of it`,
          );
        const part = decodeValues(bytes, dtype);
        if (transposed) transposeRows(part, width, values, rows, row);
        else values.set(part, row * width);
      }
      return values;
    },
  };
}
