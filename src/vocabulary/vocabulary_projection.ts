import * as tf from '@tensorflow/tfjs-core';
import { ownKernel } from '../ops/own_kernel';

/** A linear head: logits z = W h + b, one row of W for each token. */
export interface VocabularyProjection {
  /** [V, D] in `rows`, [D, V] in `columns`. */
  readonly weight: tf.Tensor2D;
  /** Whether a token is a row of `weight`, or a column as in tfjs's dense layers. */
  readonly layout: 'rows' | 'columns';
  /** [V]; null for none. */
  readonly bias: tf.Tensor1D | null;
  /** Whether no gradient is wanted of weight and bias, whatever their variables say. Default false. */
  readonly isFrozen?: boolean;
}

export function vocabSizeOf({ weight, layout }: VocabularyProjection): number {
  return weight.shape[layout === 'rows' ? 0 : 1];
}

export function hiddenSizeOf({ weight, layout }: VocabularyProjection): number {
  return weight.shape[layout === 'rows' ? 1 : 0];
}

/** The head of some tokens alone, in rows. */
export function ofTokens({ weight, layout, bias }: VocabularyProjection, tokens: tf.Tensor1D): VocabularyProjection {
  return {
    weight: (layout === 'rows' ? tf.gather(weight, tokens) : tf.transpose(tf.gather(weight, tokens, 1))) as tf.Tensor2D,
    layout: 'rows',
    bias: bias === null ? null : (tf.gather(bias, tokens) as tf.Tensor1D),
  };
}

/** Neighbouring tokens of a head. */
export class VocabularyTile {
  private part: tf.Tensor2D | null = null;

  /** @param start the first of `size` tokens. */
  constructor(
    private readonly head: VocabularyProjection,
    readonly start: number,
    readonly size: number,
  ) {}

  /** Logits of hidden states [R, D], [R, size]. */
  logitsOf(hidden: tf.Tensor2D): tf.Tensor2D {
    const kernel = ownKernel('ILRecTileLogits');
    const products = (
      kernel === null
        ? tf.matMul(hidden, this.weight, false, this.head.layout === 'rows')
        : kernel({ hidden, weight: this.head.weight }, this.place)[0]
    ) as tf.Tensor2D;
    const { bias } = this.head;
    return bias === null ? products : tf.add(products, tf.slice(bias, this.start, this.size));
  }

  /** Sums of the tokens' rows of W, each with its factor: [R, size] to [R, D]. */
  sumsOfRows(factors: tf.Tensor2D): tf.Tensor2D {
    const kernel = ownKernel('ILRecTileSums');
    if (kernel !== null) return kernel({ factors, weight: this.head.weight }, this.place)[0] as tf.Tensor2D;
    return tf.matMul(factors, this.weight, false, this.head.layout === 'columns');
  }

  /** What flows to the tokens' weights where `factors` [R, size] flow to the logits of `hidden` [R, D]; in the head's own layout. */
  weightGradient(factors: tf.Tensor2D, hidden: tf.Tensor2D): tf.Tensor2D {
    return this.head.layout === 'rows'
      ? tf.matMul(factors, hidden, true, false)
      : tf.matMul(hidden, factors, true, false);
  }

  /** The tokens' part of the head, cut out once, for backends that cannot read it where it lies. */
  private get weight(): tf.Tensor2D {
    const { weight, layout } = this.head;
    if (this.size === vocabSizeOf(this.head)) return weight;
    const [begin, extent] =
      layout === 'rows'
        ? [
            [this.start, 0],
            [this.size, weight.shape[1]],
          ]
        : [
            [0, this.start],
            [weight.shape[0], this.size],
          ];
    return (this.part ??= tf.slice(weight, begin as [number, number], extent as [number, number]));
  }

  private get place(): Record<string, number> {
    return { start: this.start, size: this.size, inRows: this.head.layout === 'rows' ? 1 : 0 };
  }
}
