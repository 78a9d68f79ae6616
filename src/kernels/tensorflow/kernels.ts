import type { KernelReplacement } from '../wasm/wasm_backend';
import { adamw } from './adamw';
import { rowKernels } from './rows';

/** Kernels that stand for tfjs-node's. */
export const tensorflowReplacements: readonly KernelReplacement[] = [];

/** Kernels that tfjs does not have, of TensorFlow's ops: with no tensor of tfjs between them they take a third of the time. */
export const tensorflowFused: readonly KernelReplacement[] = [...rowKernels, adamw];
