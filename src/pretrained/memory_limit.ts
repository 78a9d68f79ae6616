import * as tf from '@tensorflow/tfjs-core';

/** Free memory of a backend. */
export interface MemoryLimit {
  /** Name in error messages, such as 'the wasm backend'. */
  readonly name: string;
  /** Free bytes; Infinity when unknown. */
  readonly bytes: number;
  /** Most bytes of one tensor; Infinity without such a limit. */
  readonly tensorBytes: number;
}

/** Options of `memoryLimit`. */
export interface MemoryLimitOptions {
  /** Free memory of the machine in bytes; `nodeMemoryLimit` passes it. Default Infinity. */
  readonly availableBytes?: number;
  /** Limits of the WebGPU adapter. Default those of the backend's device. */
  readonly adapterLimits?: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
}

/** Largest heap of tfjs's WebAssembly module, 4,032 MiB: its addresses have 32 bits. */
const WASM_HEAP_BYTES = 4032 * 2 ** 20;

/**
 * Returns the memory that a backend has left for tensors.
 *
 * - wasm: the largest heap less the existing tensors.
 * - webgpu: the size of a tensor is limited (a larger one reads as zeros); the free memory is unknown.
 * - other backends: the free memory of the machine.
 *
 * @param backend name of a tfjs backend. Default the current one.
 * @param options free memory of the machine, and limits of a WebGPU adapter.
 * @returns free bytes and the largest tensor.
 * @example
 * ```ts
 * import { memoryLimit } from 'tfjs-ilrec';
 *
 * const { name, bytes, tensorBytes } = memoryLimit('wasm');
 * console.log(name, bytes <= 4032 * 2 ** 20, tensorBytes); // the wasm backend true Infinity
 * ```
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
    return { name: 'the webgpu backend', bytes: Infinity, tensorBytes }; // WebGPU does not report a device's memory
  }
  return {
    name: `the ${backend === 'tensorflow' ? 'node' : backend} backend`,
    bytes: availableBytes,
    tensorBytes: Infinity,
  };
}

/**
 * `memoryLimit`, within the free memory of the machine or the container where the runtime tells it: Node does, browsers
 * do not.
 */
export function machineMemoryLimit(backend = tf.getBackend()): MemoryLimit {
  const { process } = globalThis as { process?: { availableMemory?: () => number } };
  return memoryLimit(backend, { availableBytes: process?.availableMemory?.() });
}
