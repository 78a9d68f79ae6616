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

/**
 * Kernels that tfjs does not have. The operations of src/ops that use them compose ordinary operations where a backend
 * has none.
 */
const fused: Readonly<Record<string, readonly KernelReplacement[]>> = {
  cpu: [],
  wasm: wasmFused,
  webgpu: webgpuFused,
  tensorflow: tensorflowFused,
};

/**
 * A kernel that computes nothing: tfjs runs its `setupFunc` each time the backend is set, and we replace kernels there.
 */
const hookName = 'ILRecKernels';
/** Our kernel functions, each with the kernel it replaced: undefined where the backend's package has none. */
const replacedBy = new Map<tf.KernelFunc, tf.KernelConfig | undefined>();
/** Backends on which `unregisterKernels` was called last. */
const switchedOff = new Set<string>();

/**
 * Registers this package's kernels with tfjs: faster ones in place of tfjs's own, and those that a backend lacks, such
 * as the gradient of an embedding on wasm. Covers the backends cpu, wasm, webgpu and tensorflow. A backend that is
 * loaded gets them now; one that is loaded later gets them when tfjs sets it. Importing `tfjs-ilrec` or
 * `tfjs-ilrec/kernels` calls this; call it yourself only after `unregisterKernels`. Calling it twice changes nothing.
 *
 * Results differ from tfjs's by rounding only, except where tfjs is wrong or has no kernel.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { registerKernels, unregisterKernels } from 'tfjs-ilrec';
 *
 * unregisterKernels();
 * const before = tf.getKernel('Softmax', 'wasm').kernelFunc;
 * registerKernels();
 * console.log(tf.getKernel('Softmax', 'wasm').kernelFunc === before); // false
 * ```
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
          throw new Error(`${hookName}: this kernel only registers others and computes nothing, got a call`);
        },
      });
    }
    installKernels(backendName, tf.engine().registry[backendName] as unknown as WasmBackend | undefined);
  }
}

/**
 * Puts tfjs's own kernels back, for example to compare speed or results. Kernels that a backend lacks and training
 * needs stay. Operations of this package that have a kernel of their own are composed of tfjs's operations until
 * `registerKernels` is called. Tensors made before stay valid.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { registerKernels, unregisterKernels } from 'tfjs-ilrec';
 *
 * const logits = tf.tensor1d([1, 2, 4]);
 * const ours = tf.softmax(logits).dataSync();
 * unregisterKernels();
 * const stock = tf.softmax(logits).dataSync();
 * registerKernels();
 * console.log(ours[2].toFixed(4), stock[2].toFixed(4)); // 0.8438 0.8438
 * ```
 */
export function unregisterKernels(): void {
  for (const backendName of Object.keys(replacements)) {
    switchedOff.add(backendName);
    for (const { kernelName, kernelFunc } of tf.getKernelsForBackend(backendName)) {
      const stock = replacedBy.get(kernelFunc);
      if (stock === undefined && !fused[backendName].some((own) => own.kernelName === kernelName)) continue;
      tf.unregisterKernel(kernelName, backendName);
      if (stock !== undefined) tf.registerKernel(stock);
    }
  }
}

/**
 * Replaces the kernels that the backend's package has registered so far.
 * @param backend undefined while it has not been started.
 */
function installKernels(backendName: string, backend: WasmBackend | undefined): void {
  // off, or no such package is loaded
  if (switchedOff.has(backendName) || tf.getKernel('Identity', backendName) === undefined) return;
  registerSoftmaxGradient(); // tfjs's own may have been registered since
  if (backendName === 'webgpu' && backend !== undefined) {
    keepCopiesTrue(backend as unknown as WebGpuBackend);
    keepIntegersReadable(backend as unknown as WebGpuBackend, () => !switchedOff.has(backendName));
  }
  const lacksSimd = backendName === 'wasm' && (backend === undefined || simdOf(backend) === null);
  for (const { kernelName, create } of [...replacements[backendName], ...(lacksSimd ? [] : fused[backendName])]) {
    const stock = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
    if (stock !== undefined && replacedBy.has(stock.kernelFunc)) continue;
    const kernelFunc = create(stock?.kernelFunc);
    if (kernelFunc === undefined) continue;
    replacedBy.set(kernelFunc, stock);
    if (stock !== undefined) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ ...stock, kernelName, backendName, kernelFunc });
  }
}
