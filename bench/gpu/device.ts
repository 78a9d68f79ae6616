import * as tf from '@tensorflow/tfjs-core';
import { create, globals } from 'webgpu';
import { placeDawn } from '../../src/backends/dawn';
import { findAdapter, isSoftware, nameOf, registerWebGpu } from '../../src/backends/webgpu_device';
import type { WebGpuBackend } from '../../src/kernels/webgpu/webgpu_backend';

export interface OpenDevice {
  readonly backend: WebGpuBackend;
  readonly name: string;
  readonly isSoftware: boolean;
  /** Optional features that the device has. */
  readonly features: readonly string[];
}

/** Starts tfjs's webgpu backend on Dawn, which must be `navigator.gpu` before the backend's package is loaded. */
export async function openDevice(): Promise<OpenDevice> {
  placeDawn({ create, globals });
  const adapter = await findAdapter();
  if (adapter === null)
    throw new Error('gpu bench: needs a WebGPU adapter, got none; install a Vulkan, Metal or Direct3D 12 driver');
  await import('@tensorflow/tfjs-backend-webgpu');
  await registerWebGpu();
  await tf.setBackend('webgpu');
  await tf.ready();
  const backend = tf.backend() as unknown as WebGpuBackend;
  const features = ['subgroups', 'shader-f16', 'timestamp-query'].filter((name) => backend.device.features.has(name));
  return { backend, name: nameOf(adapter), isSoftware: isSoftware(adapter), features };
}

/** Waits until everything that was asked of the device is done. */
export async function finish(): Promise<void> {
  const backend = tf.backend() as unknown as WebGpuBackend & {
    readonly queue: { onSubmittedWorkDone(): Promise<void> };
  };
  backend.endComputePassEncoder();
  backend.ensureCommandEncoderReady();
  backend.submitQueue();
  await backend.queue.onSubmittedWorkDone();
}

/** Milliseconds of one run, of as many as fill `seconds`; the first, which compiles, does not count. */
export async function timeEach(run: () => void | Promise<void>, seconds: number): Promise<number> {
  await run();
  await finish();
  let runs = 1;
  for (;;) {
    const began = performance.now();
    for (let i = 0; i < runs; i++) await run();
    await finish();
    const taken = performance.now() - began;
    if (taken >= 1000 * seconds || runs >= 4096) return taken / runs;
    runs *= Math.max(2, Math.min(16, Math.ceil((1000 * seconds) / Math.max(taken, 1))));
  }
}
