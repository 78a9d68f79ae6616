import * as tf from '@tensorflow/tfjs-core';

/** A linear head: logits z = W h + b, one row of W for each token. */
export interface VocabularyProjection {
  /** [V, D] in `rows`, [D, V] in `columns`. */
  readonly weight: tf.Tensor2D;
  /** Whether a token is a row of `weight`, or a column as in tfjs's dense layers. */
  readonly layout: 'rows' | 'columns';
  /** [V]; null for none. */
  readonly bias: tf.Tensor1D | null;
}

export function vocabSizeOf({ weight, layout }: VocabularyProjection): number {
  return weight.shape[layout === 'rows' ? 0 : 1];
}

export function hiddenSizeOf({ weight, layout }: VocabularyProjection): number {
  return weight.shape[layout === 'rows' ? 1 : 0];
}

/** The head of the tokens from `start` on alone. */
export function tileOf({ weight, layout, bias }: VocabularyProjection, start: number, size: number): VocabularyProjection {
  const [begin, extent] = layout === 'rows' ? [[start, 0], [size, weight.shape[1]]] : [[0, start], [weight.shape[0], size]];
  return {
    weight: tf.slice(weight, begin as [number, number], extent as [number, number]),
    layout,
    bias: bias === null ? null : tf.slice(bias, start, size),
  };
}

/** The head of some tokens alone, in rows. */
export function ofTokens({ weight, layout, bias }: VocabularyProjection, tokens: tf.Tensor1D): VocabularyProjection {
  return {
    weight: (layout === 'rows' ? tf.gather(weight, tokens) : tf.transpose(tf.gather(weight, tokens, 1))) as tf.Tensor2D,
    layout: 'rows',
    bias: bias === null ? null : (tf.gather(bias, tokens) as tf.Tensor1D),
  };
}

/** Logits of hidden states [R, D], [R, V]. */
export function logitsOf({ weight, layout, bias }: VocabularyProjection, hidden: tf.Tensor2D): tf.Tensor2D {
  const products = tf.matMul(hidden, weight, false, layout === 'rows') as tf.Tensor2D; // [R, V]
  return bias === null ? products : tf.add(products, bias);
}

/** Sums of the tokens' rows of W, each with its factor: [R, V] to [R, D]. */
export function sumsOfRows({ weight, layout }: VocabularyProjection, factors: tf.Tensor2D): tf.Tensor2D {
  return tf.matMul(factors, weight, false, layout === 'columns');
}

/** What flows to W where `factors` [R, V] flow to the logits of `hidden` [R, D]; in the head's own layout. */
export function weightGradient({ layout }: VocabularyProjection, factors: tf.Tensor2D, hidden: tf.Tensor2D): tf.Tensor2D {
  return layout === 'rows' ? tf.matMul(factors, hidden, true, false) : tf.matMul(hidden, factors, true, false);
}
