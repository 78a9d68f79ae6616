import * as tf from '@tensorflow/tfjs-core';
import type { IlrecObjectiveOptions, IlrecTerms } from './ilrec_objective';
import { staysOnDevice } from '../vocabulary/device_head';
import { findOnDevice } from './streaming/device_find';
import { gradientsOnDevice } from './streaming/device_gradients';
import { termsOnDevice } from './streaming/device_terms';
import { find } from './streaming/find';
import { gradientsOf } from './streaming/gradients';
import { termsOf } from './streaming/terms';
import type { StreamingObjectiveInputs, Trained } from './streaming/types';

export type { StreamingObjectiveInputs } from './streaming/types';

/**
 * `ilrecObjective` for a linear head, without logits [P, V]: the vocabulary is read tile by tile, every term and its gradient are made in that pass, and
 * memory does not grow with V.
 *
 * ```
 * E_l = E_{p^l}[W],   dH_l (CPD) = E_l - E_L,   dH_L (CPO) = E_L e^(lse - lse') + sum_N (p' dz'/dz - p e^(lse - lse')) W - W_y
 * ```
 * Tokens that may be negatives are collected in the pass; rows with more of them than the buffer holds are read again. A trained head is read once more for
 * its own gradient, so that its logits need not be kept. On a backend with kernels for it (WebGPU) no value is read back on the way.
 *
 * @throws Error on WebGPU without the package's kernels.
 * @returns scalars; the caller disposes them (or calls inside a tidy). Gradient of `total` flows to the hidden states, and to the head's weight and bias
 *   unless the head or their variables are frozen.
 */
export function streamingObjective(inputs: StreamingObjectiveInputs, options: IlrecObjectiveOptions): IlrecTerms {
  if (tf.getBackend().startsWith('webgpu') && !staysOnDevice())
    throw new Error(
      'streamingObjective: on WebGPU it needs the kernels of this package, got none; call registerKernels() or use ilrecObjective',
    );
  const { finalHidden, intermediateHidden, head } = inputs;
  const isRecorded = tf.engine().state.gradientDepth > 0;
  const trainsHead = isRecorded && head.isFrozen !== true;
  const trains = {
    hidden: isRecorded,
    weight: trainsHead && isTrained(head.weight),
    bias: trainsHead && head.bias !== null && isTrained(head.bias),
  };
  const compute = staysOnDevice() ? computeOnDevice : computeAndReadBack;
  let terms = null as IlrecTerms | null;
  const operation = (): tf.Tensor[] => {
    const { gradients, ...found } = compute(inputs, options, trains);
    terms = found.terms;
    for (const term of Object.values(terms)) tf.keep(term); // they outlive the operation
    return [tf.clone(terms.total), ...gradients];
  };
  const recorded = tf.customGrad((...args) => {
    const [value, ...gradients] = tf.tidy(operation);
    (args[args.length - 1] as tf.GradSaveFunc)(gradients);
    return { value, gradFunc: (dy, saved) => saved.map((gradient) => tf.mul(gradient, dy as tf.Tensor)) };
  });
  const trained = [intermediateHidden, trains.weight ? head.weight : null, trains.bias ? head.bias : null].filter(
    (tensor) => tensor !== null,
  );
  const total = tf.tidy(() => (isRecorded ? recorded(finalHidden, ...trained) : operation()[0])) as tf.Scalar;
  return { ...released(terms as IlrecTerms | null as IlrecTerms), total };
}

interface Computed {
  readonly terms: IlrecTerms;
  /** Of what is trained, in the order of the arguments. */
  readonly gradients: tf.Tensor[];
}

/** Thresholds and negatives are found on the CPU. */
function computeAndReadBack(
  inputs: StreamingObjectiveInputs,
  options: IlrecObjectiveOptions,
  trains: Trained,
): Computed {
  const found = find(inputs, options, trains);
  const { klPerLayer, ...terms } = termsOf(inputs, options, found);
  const scalars = Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, tf.scalar(value)])) as Omit<
    IlrecTerms,
    'klPerLayer'
  >;
  return {
    terms: { ...scalars, klPerLayer: tf.tensor1d(klPerLayer) },
    gradients: trains.hidden ? gradientsOf(inputs, options, found, trains) : [],
  };
}

/** The same on a device from which nothing can be read at once. */
function computeOnDevice(inputs: StreamingObjectiveInputs, options: IlrecObjectiveOptions, trains: Trained): Computed {
  const found = findOnDevice(inputs, options, trains);
  return {
    terms: termsOnDevice(inputs, options, found),
    gradients: trains.hidden ? gradientsOnDevice(inputs, options, found, trains) : [],
  };
}

/** Whether a gradient can reach the tensor: a variable says so, and of another tensor nobody knows. */
function isTrained(tensor: tf.Tensor): boolean {
  return !(tensor instanceof tf.Variable) || tensor.trainable;
}

/** Kept tensors as the caller's tidy or the caller disposes them. */
function released(terms: IlrecTerms): Omit<IlrecTerms, 'total'> {
  const clones = Object.entries(terms)
    .filter(([name]) => name !== 'total')
    .map(([name, term]) => [name, tf.clone(term as tf.Tensor)] as const);
  tf.dispose(Object.values(terms));
  return Object.fromEntries(clones) as unknown as Omit<IlrecTerms, 'total'>;
}
