import type { KernelReplacement } from '../kernel';
import { adamw } from './adamw';
import { rowKernels } from './rows';

/** Kernels that stand for tfjs-node's. */
export const tensorflowReplacements: readonly KernelReplacement[] = [];

/** Kernels that tfjs does not have: TensorFlow's own Adam, and ops of TensorFlow without tensors of tfjs between them. */
export const tensorflowFused: readonly KernelReplacement[] = [...rowKernels, adamw];
