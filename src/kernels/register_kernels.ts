import * as tf from '@tensorflow/tfjs-core';
import { cumsum } from './cumsum';
import { cpuUnsortedSegmentSum, wasmUnsortedSegmentSum } from './unsorted_segment_sum';
import type { KernelReplacement } from './wasm_backend';
import { wasmBatchMatMul } from './wasm_batch_mat_mul';
import { wasmBroadcasts } from './wasm_broadcast';
import { wasmGather } from './wasm_gather';
import { wasmIdentity } from './wasm_identity';
import { wasmTile } from './wasm_tile';

const replacements: Readonly<Record<string, readonly KernelReplacement[]>> = {
  cpu: [cpuUnsortedSegmentSum, cumsum],
  wasm: [wasmIdentity, wasmUnsortedSegmentSum, wasmBatchMatMul, wasmGather, wasmTile, cumsum, ...wasmBroadcasts],
};

/** Registered once per backend; it computes nothing, but tfjs runs its set-up each time the backend is set. */
const hookName = 'ILRecKernels';
const ours = new WeakSet<tf.KernelFunc>();

/**
 * Gives the cpu and wasm backends the kernels they lack or run slowly, whether their packages are imported before, after or never:
 * what is there already is replaced now, what comes later when tfjs sets the backend. Calling it again does nothing.
 */
export function registerKernels(): void {
  for (const backendName of Object.keys(replacements)) {
    if (tf.getKernel(hookName, backendName) !== undefined) continue;
    tf.registerKernel({
      kernelName: hookName,
      backendName,
      setupFunc: () => installKernels(backendName),
      kernelFunc: () => {
        throw new Error(`${hookName}: this kernel is a registration hook and computes nothing, got a call`);
      },
    });
    installKernels(backendName);
  }
}

/** Replaces what the backend's package has registered so far. */
function installKernels(backendName: string): void {
  if (tf.getKernel('Identity', backendName) === undefined) return; // the backend's package is not there
  for (const { kernelName, create } of replacements[backendName]) {
    const stock = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
    if (stock !== undefined && ours.has(stock.kernelFunc)) continue;
    const kernelFunc = create(stock?.kernelFunc);
    if (kernelFunc === undefined) continue;
    ours.add(kernelFunc);
    if (stock !== undefined) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ ...stock, kernelName, backendName, kernelFunc });
  }
}
