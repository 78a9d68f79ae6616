import * as tf from '@tensorflow/tfjs-core';
import { installDawn } from '../../src/backends/node_runtime_node';
import { findPackage, importPackage } from '../../src/backends/optional_package_node';
import { registerWebGpu } from '../../src/backends/webgpu_device';

export interface WebGpu {
  /** The errors that the device has reported since the last call. */
  errors(): Promise<string[]>;
}

interface Gpu {
  requestAdapter(): Promise<object | null>;
}

interface DeviceEvents {
  addEventListener(name: 'uncapturederror', listener: (event: { error: { message: string } }) => void): void;
  readonly queue: { onSubmittedWorkDone(): Promise<void> };
}

/** Registers tfjs's webgpu backend on Dawn. Returns null if a package is missing or there is no adapter. */
export async function openWebGpu(): Promise<WebGpu | null> {
  const backendPackage = findPackage('@tensorflow/tfjs-backend-webgpu');
  if (backendPackage === undefined || findPackage('webgpu') === undefined) return null;
  await installDawn();
  const { gpu } = globalThis.navigator as unknown as { gpu: Gpu };
  if ((await gpu.requestAdapter()) === null) return null;
  await importPackage(backendPackage);
  await registerWebGpu();
  tf.env().set('WEBGPU_CPU_FORWARD', false); // otherwise small tensors are computed on the CPU and never reach a shader
  const found: string[] = [];
  let device: DeviceEvents | null = null;
  return {
    async errors() {
      const now = (tf.backend() as unknown as { device: DeviceEvents }).device;
      await now.queue.onSubmittedWorkDone();
      if (device !== now) {
        device = now;
        now.addEventListener('uncapturederror', ({ error }) => found.push(error.message.split('\n')[0]));
      }
      return found.splice(0);
    },
  };
}
