import { IlrecError } from '../errors';
import { type FileSource, readJson } from '../files/file_source';
import { type HeaderEntry, readSafetensorsHeader } from './safetensors_header';
import { BYTES_PER_VALUE, decodeValues, READABLE_TYPES, type SafetensorsType } from './safetensors_types';
import { readRows } from './read_rows';

/** A tensor of a checkpoint, as its file's header describes it. */
export interface TensorEntry {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  /** The file that holds it. */
  readonly file: string;
}

/** Options of `CheckpointReader.read`. */
export interface ReadTensorOptions {
  /** Whether a matrix [out, in] is returned as [in, out]. Default false. */
  readonly transposed?: boolean;
}

/** The tensors of a checkpoint; each is read when it is asked for. */
export interface CheckpointReader {
  /** Type, shape and file of each tensor, by name. */
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /**
   * Reads one tensor as float32: F16 and BF16 exactly, I32 rounded to the nearest. Beside the result, at most 16 MiB of
   * the file are in memory.
   *
   * @throws IlrecError when there is no such tensor, its type cannot be read, or the file is truncated.
   */
  read(name: string, options?: ReadTensorOptions): Promise<Float32Array>;
}

export const SAFETENSORS_FILE = 'model.safetensors';
export const SAFETENSORS_INDEX = 'model.safetensors.index.json';
/** Weights that others write. */
const OTHER_FORMATS = [
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'tf_model.h5',
  'flax_model.msgpack',
  'consolidated.safetensors',
  'consolidated.00.pth',
];

/**
 * Opens the weights of a checkpoint: `model.safetensors`, or `model.safetensors.index.json` with the shards it lists.
 * Reads only the headers.
 *
 * @param source where the files are, for example `folderSource(path)` or `fetchSource(url)`.
 * @param caller the function that error messages name. Default 'openSafetensors'.
 * @returns a reader of the tensors.
 * @throws IlrecError when neither file is there, the index is not valid, a shard or a tensor of the index is missing,
 * or a header is damaged.
 * @example
 * ```ts
 * import { openSafetensors } from 'tfjs-ilrec';
 * import { folderSource } from 'tfjs-ilrec/node';
 *
 * const reader = await openSafetensors(folderSource('checkpoint'));
 * const norm = reader.entries.get('model.norm.weight');
 * console.log(norm?.dtype, norm?.file); // F32 model.safetensors
 * console.log((await reader.read('model.norm.weight')).length === norm?.shape[0]); // true
 * ```
 */
export async function openSafetensors(source: FileSource, caller = 'openSafetensors'): Promise<CheckpointReader> {
  if (await source.has(SAFETENSORS_FILE)) return await openSafetensorsFile(source, SAFETENSORS_FILE, caller);
  if (!(await source.has(SAFETENSORS_INDEX))) {
    const present = await Promise.all(OTHER_FORMATS.map((file) => source.has(file)));
    throw new IlrecError(
      `${caller}: ${source.name} must have ${SAFETENSORS_FILE} or ${SAFETENSORS_INDEX}, got ` +
        `${OTHER_FORMATS.find((_, i) => present[i]) ?? 'neither'}; convert other formats with transformers' ` +
        'save_pretrained',
    );
  }
  const shardOf = shardsOf(await readJson(source, SAFETENSORS_INDEX, caller), source.name, caller);
  const files = [...new Set(shardOf.values())].sort();
  const present = await Promise.all(files.map((file) => source.has(file)));
  const missing = files.filter((_, i) => !present[i]);
  if (missing.length > 0) {
    throw new IlrecError(
      `${caller}: ${source.name} must have the ${files.length} shards that ${SAFETENSORS_INDEX} lists, got no ` +
        `${missing.join(', ')}; use a complete copy of the checkpoint`,
    );
  }
  const all = new Map<string, HeaderEntry & TensorEntry>();
  for (const file of files) {
    for (const [name, entry] of await readSafetensorsHeader(source, file, caller)) {
      if ((shardOf.get(name) ?? file) === file) all.set(name, { ...entry, file });
    }
  }
  for (const [name, file] of shardOf) {
    if (!all.has(name))
      throw new IlrecError(
        `${caller}: ${file} of ${source.name} must hold "${name}" as ${SAFETENSORS_INDEX} says, got none; use ` +
          'the shards of the same copy',
      );
  }
  return readerOf(source, all, caller);
}

/**
 * Opens one safetensors file of any name. Reads only its header.
 *
 * @param source where the file is, for example `folderSource(path)` or `fetchSource(url)`.
 * @param file name of the file.
 * @param caller the function that error messages name. Default 'openSafetensorsFile'.
 * @returns a reader of the tensors.
 * @throws IlrecError when the file is missing, or its header is damaged.
 * @example
 * ```ts
 * import { openSafetensorsFile } from 'tfjs-ilrec';
 * import { folderSource } from 'tfjs-ilrec/node';
 *
 * const reader = await openSafetensorsFile(folderSource('checkpoint'), 'model.safetensors');
 * console.log(reader.entries.has('model.norm.weight')); // true
 * ```
 */
export async function openSafetensorsFile(
  source: FileSource,
  file: string,
  caller = 'openSafetensorsFile',
): Promise<CheckpointReader> {
  const header = await readSafetensorsHeader(source, file, caller);
  return readerOf(source, new Map([...header].map(([name, entry]) => [name, { ...entry, file }])), caller);
}

/** The shard of each tensor, as an index lists them. */
export function shardsOf(
  index: Readonly<Record<string, unknown>>,
  source: string,
  caller: string,
): Map<string, string> {
  const map = index.weight_map;
  if (typeof map !== 'object' || map === null) {
    throw new IlrecError(
      `${caller}: ${SAFETENSORS_INDEX} of ${source} must have a weight_map, got none; use another copy of it`,
    );
  }
  const shards = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !/^[^/\\]+\.safetensors$/.test(file)) {
      throw new IlrecError(
        `${caller}: weight_map of ${SAFETENSORS_INDEX} must name .safetensors files beside it, got ` +
          `${JSON.stringify(file)} for "${name}"; use another copy of it`,
      );
    }
    shards.set(name, file);
  }
  return shards;
}

function readerOf(
  source: FileSource,
  entries: ReadonlyMap<string, HeaderEntry & TensorEntry>,
  caller: string,
): CheckpointReader {
  return {
    entries,
    read: async (name, { transposed = false } = {}) => {
      const entry = entries.get(name);
      if (entry === undefined)
        throw new IlrecError(`${caller}: ${source.name} must hold "${name}", got no such tensor`);
      const { dtype, shape, range, file } = entry;
      if (!READABLE_TYPES.includes(dtype)) {
        throw new IlrecError(
          `${caller}: "${name}" of ${source.name} must be one of ${READABLE_TYPES.join(', ')}, got ${dtype}; ` +
            'convert it first',
        );
      }
      const width = shape.length === 0 ? 1 : shape[shape.length - 1];
      return await readRows({
        caller,
        source,
        file,
        name,
        range,
        width,
        rowBytes: width * BYTES_PER_VALUE[dtype],
        size: (range[1] - range[0]) / BYTES_PER_VALUE[dtype],
        transposed,
        decode: (bytes) => decodeValues(bytes, dtype),
      });
    },
  };
}
