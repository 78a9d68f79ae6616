import * as tf from '@tensorflow/tfjs-core';
import { rowsOfTokens, staysOnDevice } from './device_head';
import type { VocabularyProjection } from './vocabulary_projection';

/** The head of some tokens alone, in rows. */
export function ofTokens(head: VocabularyProjection, tokens: tf.Tensor1D): VocabularyProjection {
  const { bias } = head;
  const gathered = (tensor: tf.Tensor1D): tf.Tensor1D => tf.gather(tensor, tokens);
  if (head.rowsOf !== undefined)
    return { weight: head.rowsOf(tokens), layout: 'rows', bias: bias === null ? null : gathered(bias) };
  const { weight, layout } = head;
  const rows = staysOnDevice()
    ? rowsOfTokens(head, tokens)
    : layout === 'rows'
      ? tf.gather(weight, tokens)
      : tf.transpose(tf.gather(weight, tokens, 1));
  return {
    weight: rows as tf.Tensor2D,
    layout: 'rows',
    bias: bias === null ? null : gathered(bias),
  };
}
