import type { Device } from './webgpu_backend';

let lowered = Infinity;

/** Bytes that one binding of a shader may hold. Tfjs's own kernels give zeros, and no error to the program, for a tensor above it. */
export function bindingLimit({ limits }: Device): number {
  return Math.min(lowered, limits.maxStorageBufferBindingSize);
}

/** Pretends that bindings hold less than the device allows, so that specs reach with small tensors what large ones do. @param bytes Infinity for the device's own limit. */
export function lowerBindingLimit(bytes: number): void {
  lowered = bytes;
}
