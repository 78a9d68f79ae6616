import type { KernelReplacement } from '../wasm/wasm_backend';
import { readableIndices } from './readable_integers';

/** Kernels that stand for tfjs's. */
export const webgpuReplacements: readonly KernelReplacement[] = [...readableIndices];

/** Kernels that tfjs does not have. */
export const webgpuFused: readonly KernelReplacement[] = [];
