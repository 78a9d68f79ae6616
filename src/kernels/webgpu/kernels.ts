import type { KernelReplacement } from '../wasm/wasm_backend';
import { webgpuHead } from './head_kernels';
import { webgpuLargeElementwise } from './large_elementwise';

/** Kernels that stand for tfjs's. */
export const webgpuReplacements: readonly KernelReplacement[] = [...webgpuLargeElementwise];

/** Kernels that tfjs does not have. */
export const webgpuFused: readonly KernelReplacement[] = [...webgpuHead];
