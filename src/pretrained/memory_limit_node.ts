import { freemem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { type MemoryLimit, memoryLimit } from './memory_limit';

/** `memoryLimit` with what the machine, or the container that the process runs in, has left. A GPU's own memory is not looked at. */
export function nodeMemoryLimit(backend = tf.getBackend()): MemoryLimit {
  const { availableMemory } = process as { availableMemory?: () => number }; // Node 20.13 and later; knows of containers
  return memoryLimit(backend, { availableBytes: availableMemory?.() ?? freemem() });
}
