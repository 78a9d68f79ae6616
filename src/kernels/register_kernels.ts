import * as tf from '@tensorflow/tfjs-core';
import { cumsum } from './cumsum';
import { registerSoftmaxGradient } from './softmax_gradient';
import { tensorflowFused, tensorflowReplacements } from './tensorflow/kernels';
import { cpuUnsortedSegmentSum, wasmUnsortedSegmentSum } from './unsorted_segment_sum';
import { wasmBatchMatMul } from './wasm/batch_mat_mul';
import { wasmBroadcasts } from './wasm/broadcast';
import { wasmBinary, wasmUnary } from './wasm/elementwise';
import { wasmFused } from './wasm/fused';
import { wasmGather } from './wasm/gather';
import { wasmIdentity } from './wasm/identity';
import { wasmConcat, wasmSlice, wasmSplit, wasmTranspose } from './wasm/moves';
import { wasmReductions } from './wasm/reductions';
import { simdOf } from './wasm/simd_module';
import { wasmSoftmax } from './wasm/softmax';
import { wasmTile } from './wasm/tile';
import type { KernelReplacement } from './kernel';
import type { WasmBackend } from './wasm/wasm_backend';
import { keepCopiesTrue } from './webgpu/cpu_copies';
import { webgpuFused, webgpuReplacements } from './webgpu/kernels';
import { keepIntegersReadable } from './webgpu/readable_integers';
import type { WebGpuBackend } from './webgpu/webgpu_backend';

const replacements: Readonly<Record<string, readonly KernelReplacement[]>> = {
  cpu: [cpuUnsortedSegmentSum, cumsum],
  wasm: [
    ...[wasmIdentity, wasmUnsortedSegmentSum, wasmBatchMatMul, wasmGather, wasmTile, cumsum, ...wasmBroadcasts],
    ...[...wasmUnary, ...wasmBinary, ...wasmReductions, wasmSoftmax, wasmSplit, wasmSlice, wasmConcat, wasmTranspose],
  ],
  webgpu: webgpuReplacements,
  tensorflow: tensorflowReplacements,
};

/** Kernels that tfjs does not have; the operations of src/ops that use one compose it of ordinary ones where it is absent. */
const fused: Readonly<Record<string, readonly KernelReplacement[]>> = {
  cpu: [],
  wasm: wasmFused,
  webgpu: webgpuFused,
  tensorflow: tensorflowFused,
};

/** Registered once per backend; it computes nothing, but tfjs runs its set-up each time the backend is set. */
const hookName = 'ILRecKernels';
/** Our kernel functions, and what each stands for: undefined where the backend's package has no such kernel. */
const ours = new Map<tf.KernelFunc, tf.KernelConfig | undefined>();
const switchedOff = new Set<string>();

/**
 * Gives the cpu, wasm, webgpu and tensorflow backends the kernels they lack or run slowly, whether their packages are imported before, after or never:
 * what is there already is replaced now, what comes later when tfjs sets the backend. Calling it again does nothing.
 */
export function registerKernels(): void {
  registerSoftmaxGradient();
  for (const backendName of Object.keys(replacements)) {
    switchedOff.delete(backendName);
    if (tf.getKernel(hookName, backendName) === undefined) {
      tf.registerKernel({
        kernelName: hookName,
        backendName,
        setupFunc: (backend) => installKernels(backendName, backend as unknown as WasmBackend),
        kernelFunc: () => {
          throw new Error(`${hookName}: this kernel is a registration hook and computes nothing, got a call`);
        },
      });
    }
    installKernels(backendName, tf.engine().registry[backendName] as unknown as WasmBackend | undefined);
  }
}

/**
 * Gives the backends' own kernels back, to compare with them; those that a backend lacks and training needs stay. The operations that have a kernel of
 * this package are composed of ordinary ones meanwhile. `registerKernels` switches them on again.
 */
export function unregisterKernels(): void {
  for (const backendName of Object.keys(replacements)) {
    switchedOff.add(backendName);
    for (const { kernelName, kernelFunc } of tf.getKernelsForBackend(backendName)) {
      const stock = ours.get(kernelFunc);
      if (stock === undefined && !fused[backendName].some((own) => own.kernelName === kernelName)) continue;
      tf.unregisterKernel(kernelName, backendName);
      if (stock !== undefined) tf.registerKernel(stock);
    }
  }
}

/** Replaces what the backend's package has registered so far. */
function installKernels(backendName: string, backend: WasmBackend | undefined): void {
  if (switchedOff.has(backendName) || tf.getKernel('Identity', backendName) === undefined) return; // the backend's package is not there
  if (backendName === 'webgpu' && backend !== undefined) {
    keepCopiesTrue(backend as unknown as WebGpuBackend);
    keepIntegersReadable(backend as unknown as WebGpuBackend, () => !switchedOff.has(backendName));
  }
  const lacksSimd = backendName === 'wasm' && (backend === undefined || simdOf(backend) === null);
  for (const { kernelName, create } of [...replacements[backendName], ...(lacksSimd ? [] : fused[backendName])]) {
    const stock = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
    if (stock !== undefined && ours.has(stock.kernelFunc)) continue;
    const kernelFunc = create(stock?.kernelFunc);
    if (kernelFunc === undefined) continue;
    ours.set(kernelFunc, stock);
    if (stock !== undefined) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ ...stock, kernelName, backendName, kernelFunc });
  }
}
