import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '../../src/register';
import type { OpenedBackends } from './open_backends';

const wasmPackage = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json'));
setWasmPaths(join(wasmPackage, 'dist') + '/');

const { isAsked, hasTfjsNode, webgpu } = (globalThis as unknown as { openedBackends: OpenedBackends }).openedBackends;

export type BackendName = 'cpu' | 'wasm' | 'tensorflow' | 'webgpu';

/** Backends that can be read at once: all of tfjs's but webgpu. */
export const backendNames: readonly BackendName[] = (
  ['cpu', 'wasm', ...(!hasTfjsNode ? [] : ['tensorflow' as const])] as const
).filter(isAsked);

/** These and webgpu, where it is. */
export const presentBackends: readonly BackendName[] = [
  ...backendNames,
  ...(webgpu === null ? [] : ['webgpu' as const]),
];

/** Runs the cases once per backend present, with that backend set; they may read tensors at once. */
export function forEachBackend(define: (backend: BackendName) => void): void {
  for (const backend of backendNames) describeOn(backend, define);
}

/** As `forEachBackend`, on WebGPU too where an adapter is there: the cases await `data()` and never read at once. */
export function forEachDevice(define: (backend: BackendName) => void): void {
  forEachBackend(define);
  onWebGpu(() => define('webgpu'));
}

/** Runs the cases on WebGPU, and fails one in which the device reports an error; skipped where no adapter is there. */
export function onWebGpu(define: () => void): void {
  if (!isAsked('webgpu')) return;
  if (webgpu === null) {
    it.skip('on webgpu (skipped: the package webgpu finds no adapter)');
    return;
  }
  describeOn('webgpu', () => {
    before(() => webgpu.errors()); // from here on
    afterEach(async () => {
      const errors = await webgpu.errors();
      if (errors.length > 0) throw new Error(`WebGPU: ${errors.join('; ')}`);
    });
    define();
  });
}

/** Runs the cases on tfjs-node alone; skipped where it is not installed. */
export function onTensorFlow(define: () => void): void {
  if (!isAsked('tensorflow')) return;
  if (!hasTfjsNode) {
    it.skip('on tensorflow (skipped: @tensorflow/tfjs-node is not installed)');
    return;
  }
  describeOn('tensorflow', define);
}

function describeOn(backend: BackendName, define: (backend: BackendName) => void): void {
  describe(`on ${backend}`, () => {
    before(async () => {
      await tf.setBackend(backend);
      await tf.ready();
    });
    define(backend);
  });
}
