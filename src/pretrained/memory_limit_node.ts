import { freemem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { type MemoryLimit, memoryLimit } from './memory_limit';

/**
 * Returns the memory that a backend has left for tensors, within the free memory of the machine or the container. The
 * memory of a GPU is not measured.
 *
 * @param backend name of a tfjs backend. Default the current one.
 * @returns free bytes and the largest tensor, as `memoryLimit`.
 * @example
 * ```ts
 * import { nodeMemoryLimit } from 'tfjs-ilrec/node';
 *
 * const { name, bytes } = nodeMemoryLimit('tensorflow');
 * console.log(name, bytes > 0, Number.isFinite(bytes)); // the node backend true true
 * ```
 */
export function nodeMemoryLimit(backend = tf.getBackend()): MemoryLimit {
  // Node 20.13 and later; respects the limit of a container
  const { availableMemory } = process as { availableMemory?: () => number };
  return memoryLimit(backend, { availableBytes: availableMemory?.() ?? freemem() });
}
