import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSafetensorsHeader } from './safetensors';
import { SAFETENSORS_FILE, SAFETENSORS_INDEX } from './safetensors_reader';
import { BYTES_PER_VALUE, encodeValues, type WrittenType } from './safetensors_types';
import { writeJsonAtomically } from '../files/atomic_file_node';

/** A tensor whose values are read just before they are written. */
export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly read: () => Promise<Float32Array>;
}

export interface WriteSafetensorsOptions {
  readonly dtype: WrittenType;
  /** Most bytes of tensors in one file; a file with a single tensor may be larger. */
  readonly maxShardBytes: number;
}

/** Says that tensors have PyTorch's layout; transformers requires the entry. */
const METADATA = { format: 'pt' };

/**
 * Writes tensors as `model.safetensors`, or as shards with an index when they exceed `maxShardBytes`. One tensor is in
 * memory at a time.
 *
 * @returns names of the written files.
 */
export async function writeSafetensors(
  folder: string,
  tensors: readonly TensorToWrite[],
  { dtype, maxShardBytes }: WriteSafetensorsOptions,
): Promise<string[]> {
  const shards = intoShards(tensors, dtype, maxShardBytes);
  if (shards.length === 1) {
    await writeFileOf(join(folder, SAFETENSORS_FILE), shards[0], dtype);
    return [SAFETENSORS_FILE];
  }
  const number = (n: number): string => String(n).padStart(5, '0');
  const files = shards.map((_, i) => `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`);
  for (const [i, shard] of shards.entries()) await writeFileOf(join(folder, files[i]), shard, dtype);
  await writeJsonAtomically(join(folder, SAFETENSORS_INDEX), {
    metadata: {
      total_parameters: tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      total_size: tensors.reduce((sum, tensor) => sum + bytesOf(tensor, dtype), 0),
    },
    weight_map: Object.fromEntries(shards.flatMap((shard, i) => shard.map(({ name }) => [name, files[i]]))),
  });
  return [...files, SAFETENSORS_INDEX];
}

async function writeFileOf(path: string, tensors: readonly TensorToWrite[], dtype: WrittenType): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(
      encodeSafetensorsHeader(
        tensors.map((tensor) => [tensor.name, { dtype, shape: tensor.shape, bytes: bytesOf(tensor, dtype) }]),
        METADATA,
      ),
    );
    for (const { name, shape, read } of tensors) {
      const values = await read();
      if (values.length !== sizeOf(shape))
        throw new Error(`writeSafetensors: "${name}" must have ${sizeOf(shape)} values, got ${values.length}`);
      await file.writeFile(encodeValues(values, dtype));
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

function intoShards(tensors: readonly TensorToWrite[], dtype: WrittenType, maxShardBytes: number): TensorToWrite[][] {
  const shards: TensorToWrite[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = bytesOf(tensor, dtype);
    if (bytes > 0 && bytes + size > maxShardBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards[shards.length - 1].push(tensor);
    bytes += size;
  }
  return shards;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

function bytesOf({ shape }: TensorToWrite, dtype: WrittenType): number {
  return sizeOf(shape) * BYTES_PER_VALUE[dtype];
}
