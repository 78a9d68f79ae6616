import type { KernelReplacement } from '../kernel';
import { adamw } from './adamw';
import { rowKernels } from './rows';

/** Kernels that stand for tfjs-node's. */
export const tensorflowReplacements: readonly KernelReplacement[] = [];

/** Kernels that tfjs does not have: AdamW in a quarter of the time of composed ops, the others, of the same ops of TensorFlow without tensors of tfjs between them, in .6 to .95 of it. */
export const tensorflowFused: readonly KernelReplacement[] = [...rowKernels, adamw];
