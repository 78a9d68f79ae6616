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

/** The present backends that can read a tensor synchronously: all but webgpu. */
export const backendNames: readonly BackendName[] = (
  ['cpu', 'wasm', ...(!hasTfjsNode ? [] : ['tensorflow' as const])] as const
).filter(isAsked);

/** All present backends. */
export const presentBackends: readonly BackendName[] = [
  ...backendNames,
  ...(webgpu === null ? [] : ['webgpu' as const]),
];

/** Defines the cases for each of `backendNames` and sets that backend before them. They may use `dataSync`. */
export function forEachBackend(define: (backend: BackendName) => void): void {
  for (const backend of backendNames) describeOn(backend, define);
}

/** Like `forEachBackend`, and for WebGPU too. The cases must await `data()`: `dataSync` does not work there. */
export function forEachDevice(define: (backend: BackendName) => void): void {
  forEachBackend(define);
  onWebGpu(() => define('webgpu'));
}

/**
 * Defines the cases for WebGPU alone. A case fails if the device reports an error. Without an adapter they are skipped.
 */
export function onWebGpu(define: () => void): void {
  if (!isAsked('webgpu')) return;
  if (webgpu === null) {
    it.skip('on webgpu (skipped: the package webgpu finds no adapter)');
    return;
  }
  describeOn('webgpu', () => {
    before(() => webgpu.errors()); // forgets earlier errors
    afterEach(async () => {
      const errors = await webgpu.errors();
      if (errors.length > 0) throw new Error(`WebGPU: ${errors.join('; ')}`);
    });
    define();
  });
}

/** Defines the cases for tfjs-node alone. If it is not installed they are skipped. */
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
