import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { linear } from '../ops/linear';

/**
 * The term that an adapter adds to the product of `x` [..., in] with the weight `name`: [..., out], or null for none.
 *
 * @param training whether this is a training pass, in which the adapter applies its dropout.
 */
export type ProjectionDelta = (name: string, x: tf.Tensor, training: boolean) => tf.Tensor | null;

/** A layer with products that an adapter can add to. */
export interface Adaptable {
  /**
   * Names of the weights that multiply an input, as given to `addWeight`. They are [in, out]; a head's 'weight' is
   * [out, in].
   */
  readonly projections: readonly string[];
  /** Null while no adapter is active. */
  projectionDelta: ProjectionDelta | null;
}

/** A language-model head; its weight [V, D] has one row per token. */
export interface VocabularyHead extends Adaptable {
  readonly vocabSize: number;
  /** [V, D]; owned by the layer. */
  readonly weight: tf.Tensor2D;
  /** [V]; null for none. */
  readonly bias?: tf.Tensor1D | null;
}

/** One weight [in, out] with its bias [out]. */
export interface Projection {
  readonly name: string;
  readonly kernel: tfl.LayerVariable;
  readonly bias: tfl.LayerVariable | null;
}

/**
 * Kernels with at most this many values together are concatenated into one product: below it the call of an op costs
 * more than the copy.
 */
export const MAX_JOINED_VALUES = 2 ** 18;

/**
 * Products of one input with several weights, concatenated: [x W1 + b1, x W2 + b2, ...].
 *
 * @param x [..., in].
 * @returns [..., sum of the output sizes].
 */
export function project(
  x: tf.Tensor,
  projections: readonly Projection[],
  delta: ProjectionDelta | null,
  training: boolean,
): tf.Tensor {
  return tf.tidy(() => {
    const numValues = projections.reduce(
      (sum, { kernel }) => sum + kernel.shape.reduce<number>((size, n) => size * (n as number), 1),
      0,
    );
    const product =
      numValues <= MAX_JOINED_VALUES
        ? joinedProduct(x, projections)
        : joined(projections.map((projection) => joinedProduct(x, [projection])));
    const deltas = delta === null ? [] : projections.map(({ name }) => delta(name, x, training));
    if (deltas.every((part) => part === null)) return product;
    const parts = deltas.map(
      (part, index) => part ?? tf.zeros([...x.shape.slice(0, -1), projections[index].kernel.shape[1] as number]),
    );
    return tf.add(product, joined(parts));
  });
}

/**
 * Logits of hidden states, including the term of an active adapter.
 *
 * @param hidden [..., D].
 * @param tokens token ids to score, [U]; default the whole vocabulary.
 * @returns [..., V], or [..., U].
 */
export function projectOntoVocabulary(
  head: VocabularyHead,
  hidden: tf.Tensor,
  { tokens, training = false }: { tokens?: Int32Array; training?: boolean } = {},
): tf.Tensor {
  return tf.tidy(() => {
    const ids = tokens === undefined ? null : tf.tensor1d(tokens, 'int32');
    const logits = linear(hidden, ids === null ? head.weight : (tf.gather(head.weight, ids) as tf.Tensor2D), true);
    const { bias = null } = head;
    const biased = bias === null ? logits : tf.add(logits, ids === null ? bias : tf.gather(bias, ids));
    const delta = head.projectionDelta?.('weight', hidden, training) ?? null; // [..., V]
    return delta === null ? biased : tf.add(biased, ids === null ? delta : tf.gather(delta, ids, delta.rank - 1));
  });
}

function joinedProduct(x: tf.Tensor, projections: readonly Projection[]): tf.Tensor {
  const product = linear(x, joined(projections.map(({ kernel }) => kernel.read() as tf.Tensor2D)));
  if (projections.every(({ bias }) => bias === null)) return product;
  return tf.add(
    product,
    joined(projections.map(({ kernel, bias }) => bias?.read() ?? tf.zeros([kernel.shape[1] as number]))),
  );
}

/** The tensors concatenated along the last axis. */
function joined<T extends tf.Tensor>(parts: readonly T[]): T {
  return parts.length === 1 ? parts[0] : tf.concat([...parts], -1);
}
