import { IlrecError } from '../errors';
import type { FileSource } from '../files/file_source';
import { type CheckpointReader, type ReadTensorOptions, type TensorEntry } from '../safetensors/safetensors_reader';
import { readRows } from '../safetensors/read_rows';
import { dequantize } from './dequantize';
import { type GgufValue, readGgufHeader } from './gguf_header';
import { GGUF_BLOCKS, isReadable } from './gguf_types';

/** The tensors of a GGUF file, each read and dequantised when it is asked for, and its metadata. */
export interface GgufReader extends Pick<CheckpointReader, 'read'> {
  /** The metadata, by key: `general.architecture`, `llama.block_count`, `tokenizer.ggml.tokens`, ... */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Type, shape and file of each tensor, by name. The names are llama.cpp's, for example `blk.0.attn_q.weight`. */
  readonly entries: ReadonlyMap<string, Omit<TensorEntry, 'dtype'> & { readonly dtype: string }>;
}

/**
 * Opens a GGUF file. Reads only its header.
 *
 * Tensors of types F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K can be read. They come as the file
 * has them: rows of q and k of a Llama are still in the order that llama.cpp wants.
 *
 * @param source where the file is, for example `folderSource(path)` or `fetchSource(url)`.
 * @param file name of the file.
 * @param caller the function that error messages name. Default 'openGguf'.
 * @returns metadata and a reader of the tensors.
 * @throws IlrecError when the file is missing, truncated, damaged or of version 1, or holds only a part of the model.
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { openGguf } from 'tfjs-ilrec';
 * import { folderSource } from 'tfjs-ilrec/node';
 *
 * const empty = new Uint8Array(24); // no tensor and no metadata
 * empty.set(new TextEncoder().encode('GGUF\x03'));
 * await writeFile('empty.gguf', empty);
 * const { entries, metadata } = await openGguf(folderSource('.'), 'empty.gguf');
 * console.log(entries.size, metadata.size); // 0 0
 * ```
 */
export async function openGguf(source: FileSource, file: string, caller = 'openGguf'): Promise<GgufReader> {
  const { metadata, tensors } = await readGgufHeader(source, file, caller);
  const parts = Number(metadata.get('split.count') ?? 1);
  if (parts > 1)
    throw new IlrecError(
      `${caller}: ${file} of ${source.name} must hold the whole model, got one of ${parts} parts; merge them with ` +
        'llama-gguf-split --merge',
    );
  const read = async (name: string, { transposed = false }: ReadTensorOptions = {}): Promise<Float32Array> => {
    const entry = tensors.get(name);
    if (entry === undefined) throw new IlrecError(`${caller}: ${source.name} must hold "${name}", got no such tensor`);
    const { dtype, shape, range } = entry;
    if (!isReadable(dtype))
      throw new IlrecError(
        `${caller}: "${name}" in ${file} of ${source.name} must be one of ${Object.keys(GGUF_BLOCKS).join(', ')}, got ` +
          `${dtype}; use a file of one of these types`,
      );
    const block = GGUF_BLOCKS[dtype];
    const width = shape.at(-1) ?? 1;
    return await readRows({
      caller,
      source,
      file,
      name,
      range,
      width,
      rowBytes: (width / block.values) * block.bytes,
      size: shape.reduce((product, n) => product * n, 1),
      transposed,
      decode: (bytes) => dequantize(bytes, dtype),
    });
  };
  return {
    metadata,
    entries: new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape, file }])),
    read,
  };
}
