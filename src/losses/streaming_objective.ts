import * as tf from '@tensorflow/tfjs-core';
import type { IlrecObjectiveOptions, IlrecTerms } from './ilrec_objective';
import { find } from './streaming/find';
import { gradientsOf } from './streaming/gradients';
import { termsOf } from './streaming/terms';
import type { StreamedTerms, StreamingObjectiveInputs } from './streaming/types';

export type { StreamingObjectiveInputs } from './streaming/types';

/**
 * `ilrecObjective` for a linear head, without logits [P, V]: the vocabulary is read tile by tile, every term and its gradient are made in that pass, and
 * memory does not grow with V.
 *
 * ```
 * E_l = E_{p^l}[W],   dH_l (CPD) = E_l - E_L,   dH_L (CPO) = E_L e^(lse - lse') + sum_N (p' dz'/dz - p e^(lse - lse')) W - W_y
 * ```
 * Tokens that may be negatives are collected in the pass; rows with more of them than the buffer holds are read again. A trained head is read once more for
 * its own gradient, so that its logits need not be kept.
 *
 * @returns scalars; the caller disposes them (or calls inside a tidy). Gradient of `total` flows to the hidden states, and to the head's weight and bias
 *   unless the head or their variables are frozen.
 */
export function streamingObjective(inputs: StreamingObjectiveInputs, options: IlrecObjectiveOptions): IlrecTerms {
  const { finalHidden, intermediateHidden, head } = inputs;
  const isRecorded = tf.engine().state.gradientDepth > 0;
  const trainsHead = isRecorded && head.isFrozen !== true;
  const trains = { hidden: isRecorded, weight: trainsHead && isTrained(head.weight), bias: trainsHead && head.bias !== null && isTrained(head.bias) };
  let terms = null as StreamedTerms | null;
  const compute = (): tf.Tensor[] => {
    const found = find(inputs, options, trains);
    terms = termsOf(inputs, options, found);
    return [tf.scalar(terms.total), ...(trains.hidden ? gradientsOf(inputs, options, found, trains) : [])];
  };
  const operation = tf.customGrad((...args) => {
    const [value, ...gradients] = tf.tidy(compute);
    (args[args.length - 1] as tf.GradSaveFunc)(gradients);
    return { value, gradFunc: (dy, saved) => saved.map((gradient) => tf.mul(gradient, dy as tf.Tensor)) };
  });
  const trained = [intermediateHidden, trains.weight ? head.weight : null, trains.bias ? head.bias : null].filter((tensor) => tensor !== null);
  const total = tf.tidy(() => (isRecorded ? operation(finalHidden, ...trained) : compute()[0])) as tf.Scalar;
  return toScalars(terms as StreamedTerms | null as StreamedTerms, total);
}

/** Whether a gradient can reach the tensor: a variable says so, and of another tensor nobody knows. */
function isTrained(tensor: tf.Tensor): boolean {
  return !(tensor instanceof tf.Variable) || tensor.trainable;
}

function toScalars({ total: _, klPerLayer, ...terms }: StreamedTerms, total: tf.Scalar): IlrecTerms {
  const scalars = Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, tf.scalar(value)])) as Omit<IlrecTerms, 'total' | 'klPerLayer'>;
  return { total, ...scalars, klPerLayer: tf.tensor1d(klPerLayer) };
}
