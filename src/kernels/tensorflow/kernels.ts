import type { KernelReplacement } from '../kernel';
import { adamw } from './adamw';
import { rowKernels } from './rows';

/** Kernels in place of tfjs-node's. */
export const tensorflowReplacements: readonly KernelReplacement[] = [];

/**
 * Kernels that tfjs does not have: TensorFlow's Adam, and sequences of TensorFlow ops without tfjs tensors in between.
 */
export const tensorflowFused: readonly KernelReplacement[] = [...rowKernels, adamw];
