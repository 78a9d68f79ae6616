import * as tf from '@tensorflow/tfjs-core';

/** What a backend can still take. */
export interface MemoryLimit {
  /** What errors call it. */
  readonly name: string;
  /** Bytes left; Infinity where nobody can tell. */
  readonly bytes: number;
  /** Bytes of the largest tensor; Infinity where there is no such limit. */
  readonly tensorBytes: number;
}

export interface MemoryLimitOptions {
  /** Bytes that the machine has left, where the caller knows; `nodeMemoryLimit` does. Default Infinity. */
  readonly availableBytes?: number;
  /** Limits of the WebGPU adapter. Default those of the device that the backend runs on. */
  readonly adapterLimits?: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
}

/** Where the heap of tfjs's WebAssembly module ends: 4,032 MiB, its pages being counted in 32 bits. */
const WASM_HEAP_BYTES = 4032 * 2 ** 20;

/**
 * What a backend has left for tensors. On wasm the heap's end less the tensors there are; on webgpu a tensor is bound as a whole, and above the
 * adapter's limit it reads as zeros; elsewhere the machine's memory.
 *
 * @param backend a name as tfjs knows it. Default the one in use.
 */
export function memoryLimit(
  backend = tf.getBackend(),
  { availableBytes = Infinity, adapterLimits }: MemoryLimitOptions = {},
): MemoryLimit {
  if (backend === 'wasm') {
    const left = Math.max(0, WASM_HEAP_BYTES - tf.memory().numBytes);
    return { name: 'the wasm backend', bytes: Math.min(left, availableBytes), tensorBytes: Infinity };
  }
  if (backend === 'webgpu') {
    const limits =
      adapterLimits ??
      (tf.findBackend(backend) as { device?: { limits: NonNullable<MemoryLimitOptions['adapterLimits']> } } | null)
        ?.device?.limits;
    const tensorBytes =
      limits === undefined ? Infinity : Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
    return { name: 'the webgpu backend', bytes: Infinity, tensorBytes }; // WebGPU does not tell how much memory a device has
  }
  return {
    name: `the ${backend === 'tensorflow' ? 'node' : backend} backend`,
    bytes: availableBytes,
    tensorBytes: Infinity,
  };
}
