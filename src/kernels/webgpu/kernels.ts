import type { KernelReplacement } from '../wasm/wasm_backend';
import { addN } from './add_n';
import { readableIndices } from './readable_integers';

/** Kernels that stand for tfjs's. */
export const webgpuReplacements: readonly KernelReplacement[] = [addN, ...readableIndices];

/** Kernels that tfjs does not have. */
export const webgpuFused: readonly KernelReplacement[] = [];
