import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from './own_kernel';

/** With fewer queries, a kernel that works on tiles of them is mostly idle. */
const MIN_QUERIES = 8;
/** The largest head size that the kernel takes. */
const MAX_HEAD_SIZE = 128;

/**
 * Attention that stores two numbers per query instead of its probabilities and computes these again for the gradient.
 * The mask gets no gradient.
 *
 * @returns null where the backend has no kernel for these sizes.
 */
export function fusedAttention(
  query: tf.Tensor4D,
  key: tf.Tensor4D,
  value: tf.Tensor4D,
  mask: tf.Tensor,
): tf.Tensor4D | null {
  const [batch, heads, length, size] = query.shape;
  const forward = ownKernel('ILRecAttention');
  const fits =
    size % 4 === 0 &&
    size <= MAX_HEAD_SIZE &&
    heads % key.shape[1] === 0 &&
    isMaskOf(mask, [batch, heads, length, key.shape[2]]);
  const isFloat = [query, key, value, mask].every(({ dtype }) => dtype === 'float32');
  if (forward === null || !fits || !isFloat || length < MIN_QUERIES || query.size === 0 || key.size === 0) return null;
  const attend = tf.customGrad((...given) => {
    const [q, k, v, save] = given as unknown as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    const [context, rows] = forward({ query: q, key: k, value: v, mask }); // [B, H, T, F], [B, H, T, 2]
    save([q, k, v, mask, context, rows]);
    return { value: context, gradFunc: (dy, saved) => backward(saved, dy as tf.Tensor) };
  });
  return attend(query, key, value) as tf.Tensor4D;
}

/** Whether the mask can be broadcast to the scores. */
function isMaskOf({ shape }: tf.Tensor, scores: readonly number[]): boolean {
  return shape.length <= 4 && shape.every((n, i) => n === 1 || n === scores[4 - shape.length + i]);
}

function backward([query, key, value, mask, context, rows]: tf.Tensor[], gradient: tf.Tensor): tf.Tensor[] {
  const kernel = ownKernel('ILRecAttentionGrad');
  if (kernel === null)
    throw new Error(
      `attention: kernel ILRecAttentionGrad must be on backend "${tf.getBackend()}" that ran the forward pass; ` +
        'keep the backend during a step',
    );
  return kernel({ query, key, value, mask, context, rows, gradient });
}
