import type { Device } from './webgpu_backend';

/** Bytes; below Infinity only in specs. */
let lowered = Infinity;

/** Bytes that one binding of a shader may hold. For a tensor above it, tfjs's own kernels return zeros and no error. */
export function bindingLimit({ limits }: Device): number {
  return Math.min(lowered, limits.maxStorageBufferBindingSize);
}

/**
 * Lowers the limit for our kernels, so that specs can test with small tensors what happens with large ones.
 * @param bytes Infinity for the device's own limit.
 */
export function lowerBindingLimit(bytes: number): void {
  lowered = bytes;
}
