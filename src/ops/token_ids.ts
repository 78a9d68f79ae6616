import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';

/**
 * Refuses token ids that have no row in an embedding: backends would throw an error of their own, or read other numbers
 * silently. Ids that cannot be read at once are let through: on WebGPU those that are on the device alone.
 *
 * @param ids [B, T] or of another shape.
 * @param numRows V, rows of the embedding.
 * @throws UnnamedError that names the id, its position and V.
 */
export function checkTokenIds(ids: tf.Tensor, numRows: number): void {
  const values = numbersAtOnce(ids);
  const at = values?.findIndex((id) => !(id >= 0 && id < numRows && Number.isInteger(id))) ?? -1;
  if (values === null || at < 0) return;
  const length = ids.shape[ids.rank - 1] ?? 1;
  const place = ids.rank < 2 ? `position ${at}` : `row ${Math.floor(at / length)}, position ${at % length}`;
  throw new UnnamedError(
    `token ids must be whole numbers from 0 to ${numRows - 1}, below the ${numRows} of the vocabulary, got ` +
      `${values[at]} at ${place}; use the ids of the model's own tokenizer or catalogue`,
  );
}

/** The numbers of a tensor; null where they are not on the CPU and the backend cannot wait for them. */
function numbersAtOnce(tensor: tf.Tensor): Float32Array | Int32Array | null {
  if (tf.getBackend().startsWith('webgpu')) {
    const { tensorMap } = tf.backend() as unknown as {
      readonly tensorMap?: { get(dataId: object): { readonly values?: unknown } | undefined };
    };
    if (tensorMap?.get(tensor.dataId)?.values == null) return null;
  }
  return tensor.dataSync<'float32' | 'int32'>();
}
