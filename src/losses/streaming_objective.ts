import * as tf from '@tensorflow/tfjs-core';
import { IlrecError } from '../errors';
import { staysOnDevice } from '../vocabulary/device_head';
import { trainedParts } from '../vocabulary/vocabulary_projection';
import { distillationTokensOf } from './cross_layer_distillation';
import type { IlrecObjectiveOptions, IlrecTerms } from './ilrec_objective';
import { findOnDevice } from './streaming/device_find';
import { gradientsOnDevice } from './streaming/device_gradients';
import { termsOnDevice } from './streaming/device_terms';
import { find } from './streaming/find';
import { gradientsOf } from './streaming/gradients';
import { termsOf } from './streaming/terms';
import type { Coefficients, StreamingObjectiveInputs, Trained } from './streaming/types';

export type { StreamingObjectiveInputs } from './streaming/types';

/**
 * Computes `ilrecObjective` for a linear head without making logits [P, V]. The head is read tile by tile; every term
 * and its gradient are made on the way, and memory does not grow with V.
 *
 * ```
 * E_l = E_{p^l}[W],   dH_l (CPD) = E_l - E_L
 * dH_L (CPO) = E_L e^(lse - lse') + sum_N (p' dz'/dz - p e^(lse - lse')) W - W_y
 * ```
 * Tokens that may be negatives are collected during the reading; rows with more of them than the buffer holds are read
 * again. A trained head is read once more for its own gradient, so its logits need not be kept. On a backend with
 * kernels for it (WebGPU) nothing is read back to the CPU.
 *
 * @param inputs hidden states, head, labels and reward of the P response positions; see `StreamingObjectiveInputs`.
 * @param options coefficients; see `IlrecObjectiveOptions`.
 * @returns scalars and [S]; the caller disposes them (or calls inside a tidy). Gradient of `total` flows to the hidden
 *   states, and to the head's weight and bias unless the head or their variables are frozen.
 * @throws IlrecError on WebGPU without the package's kernels, or with a reward and `rewardTargets: 'all'`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { streamingObjective } from 'tfjs-ilrec';
 *
 * const finalHidden = tf.tensor2d([[1, 0]]); // [P, D]
 * const intermediateHidden = tf.tensor2d([[0, 1]]); // [S * P, D], one layer
 * const weight = tf.tensor2d([[1, 0], [2, 3], [-1, 0]]); // [V, D]: z^L = (1, 2, -1) and z~ = (0, 3, 0)
 * const terms = streamingObjective(
 *   {
 *     finalHidden,
 *     intermediateHidden,
 *     head: { weight, layout: 'rows', bias: null },
 *     labels: Int32Array.of(0),
 *     reward: null,
 *   },
 *   {
 *     penaltyWeight: 0.5,
 *     penalty: 'scale',
 *     thresholdScale: 1,
 *     thresholdReference: 'final',
 *     distillationWeight: 0,
 *     rewardWeight: 0,
 *   },
 * );
 * console.log(terms.cpo.dataSync()[0].toFixed(4)); // 2.1429
 * ```
 */
export function streamingObjective(inputs: StreamingObjectiveInputs, options: IlrecObjectiveOptions): IlrecTerms {
  if (tf.getBackend().startsWith('webgpu') && !staysOnDevice())
    throw new IlrecError(
      'streamingObjective: on WebGPU it needs the kernels of this package, got none; call registerKernels() or ' +
        'use ilrecObjective',
    );
  if (options.rewardTargets === 'all' && inputs.reward !== null)
    throw new IlrecError("streamingObjective: rewardTargets must be 'negatives', got 'all'; use ilrecObjective");
  const coefficients = { ...options, distillationTokens: distillationTokensOf('streamingObjective', options) };
  const { finalHidden, intermediateHidden, head } = inputs;
  const isRecorded = tf.engine().state.gradientDepth > 0;
  const parts = trainedParts(head);
  const trains = { hidden: isRecorded, weight: isRecorded && parts.weight, bias: isRecorded && parts.bias };
  const compute = staysOnDevice() ? computeOnDevice : computeAndReadBack;
  let terms = null as IlrecTerms | null;
  const operation = (): tf.Tensor[] => {
    const { gradients, ...found } = compute(inputs, coefficients, trains);
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
  /** Gradients of what is trained, in the order of the operation's arguments. */
  readonly gradients: tf.Tensor[];
}

/** Finds thresholds and negatives on the CPU. */
function computeAndReadBack(inputs: StreamingObjectiveInputs, options: Coefficients, trains: Trained): Computed {
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
function computeOnDevice(inputs: StreamingObjectiveInputs, options: Coefficients, trains: Trained): Computed {
  const found = findOnDevice(inputs, options, trains);
  return {
    terms: termsOnDevice(inputs, options, found),
    gradients: trains.hidden ? gradientsOnDevice(inputs, options, found, trains) : [],
  };
}

/** The kept tensors as ones that the caller's tidy, or the caller, disposes. */
function released(terms: IlrecTerms): Omit<IlrecTerms, 'total'> {
  const clones = Object.entries(terms)
    .filter(([name]) => name !== 'total')
    .map(([name, term]) => [name, tf.clone(term as tf.Tensor)] as const);
  tf.dispose(Object.values(terms));
  return Object.fromEntries(clones) as unknown as Omit<IlrecTerms, 'total'>;
}
