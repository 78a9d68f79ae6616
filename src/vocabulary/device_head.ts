import type * as tf from '@tensorflow/tfjs-core';
import { ownKernel, type OwnKernel } from '../ops/own_kernel';
import type { VocabularyProjection } from './vocabulary_projection';

/**
 * Whether the current backend has kernels that read a head on the device, so that nothing is read back to the CPU on
 * the way.
 */
export function staysOnDevice(): boolean {
  return ownKernel('ILRecReadHead') !== null;
}

/** Calls a kernel that reads a head where it lies. */
export function runHeadKernel(
  name: OwnKernel,
  { weight, bias, layout }: VocabularyProjection,
  inputs: tf.NamedTensorMap,
  attrs: Record<string, number> = {},
): tf.Tensor[] {
  const kernel = ownKernel(name);
  if (kernel === null)
    throw new Error(`runHeadKernel: the backend must have the kernel ${name}, got none; register the kernels`);
  return kernel(
    { ...inputs, weight, ...(bias === null ? {} : { bias }) },
    { ...attrs, inRows: layout === 'rows' ? 1 : 0 },
  );
}

/** Logits that hidden states [R, D] give to tokens int32 [R, C] of their own, [R, C]; 0 for a token of -1. */
export function logitsOfTokens(head: VocabularyProjection, hidden: tf.Tensor2D, tokens: tf.Tensor2D): tf.Tensor2D {
  return runHeadKernel('ILRecTokenLogits', head, { hidden, tokens })[0] as tf.Tensor2D;
}

/** Sums of the rows of W of tokens int32 [R, C], each with its factor [R, C]: [R, D]. */
export function sumsOfTokens(
  { weight, layout }: VocabularyProjection,
  tokens: tf.Tensor2D,
  factors: tf.Tensor2D,
): tf.Tensor2D {
  return runHeadKernel('ILRecTokenSums', { weight, layout, bias: null }, { tokens, factors })[0] as tf.Tensor2D;
}

/** Rows of W of some tokens, int32 [n] to [n, D], for a matrix of any size. */
export function rowsOfTokens({ weight, layout }: VocabularyProjection, tokens: tf.Tensor1D): tf.Tensor2D {
  return runHeadKernel('ILRecTokenRows', { weight, layout, bias: null }, { tokens })[0] as tf.Tensor2D;
}

/**
 * A matrix in the head's layout with rows [n, D] added to those of some tokens; the matrix is changed in place and
 * disposed.
 */
export function withRowsOfTokens(
  weight: tf.Tensor2D,
  layout: VocabularyProjection['layout'],
  tokens: tf.Tensor1D,
  rows: tf.Tensor2D,
): tf.Tensor2D {
  const [sum] = runHeadKernel('ILRecAddTokenRows', { weight, layout, bias: null }, { tokens, rows });
  weight.dispose();
  return sum as tf.Tensor2D;
}
