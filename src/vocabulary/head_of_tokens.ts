import * as tf from '@tensorflow/tfjs-core';
import { rowsOfTokens, staysOnDevice } from './device_head';
import type { VocabularyProjection } from './vocabulary_projection';

/** The head of some tokens alone, in rows. */
export function ofTokens(head: VocabularyProjection, tokens: tf.Tensor1D): VocabularyProjection {
  const { weight, layout, bias } = head;
  const rows = staysOnDevice()
    ? rowsOfTokens(head, tokens)
    : layout === 'rows'
      ? tf.gather(weight, tokens)
      : tf.transpose(tf.gather(weight, tokens, 1));
  return {
    weight: rows as tf.Tensor2D,
    layout: 'rows',
    bias: bias === null ? null : (tf.gather(bias, tokens) as tf.Tensor1D),
  };
}
