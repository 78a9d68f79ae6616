import * as tf from '@tensorflow/tfjs-core';
import { UnnamedError } from '../errors';
import { ownKernel } from '../ops/own_kernel';

/** A linear head: logits z = W h + b, one row of W for each token. */
export interface VocabularyProjection {
  /** W: [V, D] in `rows`, [D, V] in `columns`. */
  readonly weight: tf.Tensor2D;
  /** Whether a token is a row of `weight`, or a column as in tfjs's dense layers. */
  readonly layout: 'rows' | 'columns';
  /** b, [V]; null for none. */
  readonly bias: tf.Tensor1D | null;
  /** True: weight and bias get no gradient, even where they are trainable variables. Default false. */
  readonly isFrozen?: boolean;
  /** Makes the rows of some tokens, int32 [n] to [n, D], where that is cheaper than the whole of W. */
  readonly rowsOf?: (tokens: tf.Tensor1D) => tf.Tensor2D;
  /** [V, D], so that W is not made for its sizes. */
  readonly sizes?: readonly [vocabSize: number, hiddenSize: number];
  /** For heads that score items: added to the scores of items already in the history, [1]. */
  readonly repeatBias?: tf.Tensor1D | null;
}

/** A linear head as a user has it: W [V, D] alone, or W with what differs from the defaults. */
export type LinearHead =
  | tf.Tensor2D
  | {
      /** W: [V, D], or [D, V] with layout 'columns'. */
      readonly weight: tf.Tensor2D;
      /** Whether a token is a row of `weight`, or a column as in the kernel of a tfjs dense layer. Default 'rows'. */
      readonly layout?: VocabularyProjection['layout'];
      /** b, [V]. Default none. */
      readonly bias?: tf.Tensor1D | null;
      /** True: weight and bias get no gradient, even where they are trainable variables. Default false. */
      readonly isFrozen?: boolean;
    };

const HEAD_OPTIONS: readonly string[] = ['weight', 'layout', 'bias', 'isFrozen'];

/** @throws UnnamedError when it is no linear head. */
export function toProjection(head: LinearHead): VocabularyProjection {
  const given = (head instanceof tf.Tensor ? { weight: head } : Object(head)) as Partial<VocabularyProjection>;
  const { weight, layout = 'rows', bias = null, isFrozen = false } = given;
  if (!(weight instanceof tf.Tensor) || Object.keys(given).some((option) => !HEAD_OPTIONS.includes(option)))
    throw new UnnamedError(
      `head must be W [V, D] or { ${HEAD_OPTIONS.join(', ')} }, got ${describe(head)}; the head of a dense layer is ` +
        "{ weight: kernel, layout: 'columns', bias }",
    );
  if ((weight.rank as number) !== 2)
    throw new UnnamedError(`head must have a weight of two axes, [V, D] or [D, V], got [${weight.shape.join(', ')}]`);
  if (layout !== 'rows' && layout !== 'columns')
    throw new UnnamedError(`layout must be 'rows' for [V, D] or 'columns' for [D, V], got ${String(layout)}`);
  const projection = { weight, layout, bias, isFrozen };
  const vocabSize = vocabSizeOf(projection);
  if (bias !== null && !((bias as unknown) instanceof tf.Tensor && bias.rank === 1 && bias.size === vocabSize))
    throw new UnnamedError(
      `bias must be [${vocabSize}], one number for each token of a weight [${weight.shape.join(', ')}] in ${layout}, ` +
        `got ${describe(bias)}`,
    );
  return projection;
}

function describe(given: unknown): string {
  if (given instanceof tf.Tensor) return `[${given.shape.join(', ')}]`;
  if (typeof given !== 'object' || given === null) return typeof given === 'function' ? 'a function' : String(given);
  const { name } = given.constructor;
  return name === 'Object' ? `{ ${Object.keys(given).join(', ')} }` : `a ${name}`;
}

/** Which parts of a head get a gradient. A variable says whether it is trained; any other tensor is taken to be. */
export function trainedParts({ weight, bias, isFrozen = false }: VocabularyProjection): TrainedParts {
  const isTrained = (tensor: tf.Tensor): boolean => !(tensor instanceof tf.Variable) || tensor.trainable;
  return { weight: !isFrozen && isTrained(weight), bias: !isFrozen && bias !== null && isTrained(bias) };
}

export interface TrainedParts {
  readonly weight: boolean;
  readonly bias: boolean;
}

export function vocabSizeOf(head: VocabularyProjection): number {
  return head.sizes?.[0] ?? head.weight.shape[head.layout === 'rows' ? 0 : 1];
}

export function hiddenSizeOf(head: VocabularyProjection): number {
  return head.sizes?.[1] ?? head.weight.shape[head.layout === 'rows' ? 1 : 0];
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

  /**
   * Gradient of the tokens' weights where `factors` [R, size] is the gradient of the logits of `hidden` [R, D]; in the
   * head's own layout.
   */
  weightGradient(factors: tf.Tensor2D, hidden: tf.Tensor2D): tf.Tensor2D {
    return this.head.layout === 'rows'
      ? tf.matMul(factors, hidden, true, false)
      : tf.matMul(hidden, factors, true, false);
  }

  /** The tokens' part of W, cut out once, for backends that cannot read it where it lies. */
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
